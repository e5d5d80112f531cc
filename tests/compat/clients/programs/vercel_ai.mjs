// Vercel's AI SDK with its provider for OpenAI-compatible servers, or with that for OpenAI, which asks the Responses API
// and names items of the answers before by their ids (RAZVILKA_DIALECT).
import { embedMany, generateObject, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import * as steps from "./steps.mjs";

const { KEY, MODEL, QUESTION, see } = steps;
const { createOpenAI, createOpenAICompatible } = await import(
  process.env.RAZVILKA_DIALECT === "responses" ? "@ai-sdk/openai" : "@ai-sdk/openai-compatible"
);
const provider = (apiKey = KEY) =>
  createOpenAI?.({ baseURL: steps.BASE_URL, apiKey }) ??
  createOpenAICompatible({
    name: "razvilka", baseURL: steps.BASE_URL, apiKey, includeUsage: true, supportsStructuredOutputs: true,
  });
const ask = (apiKey = KEY, model = MODEL, prompt = QUESTION) =>
  generateText({ model: provider(apiKey)(model), prompt, maxRetries: 0 });
const Weather = z.object({ city: z.string(), degrees: z.number() });

await steps.main({
  async chat() {
    see((await ask()).text);
  },
  async stream() {
    const answer = streamText({ model: provider()(MODEL), prompt: QUESTION, maxRetries: 0 });
    let text = "";
    for await (const piece of answer.textStream) text += piece;
    see(text);
    see((await answer.usage).totalTokens);
  },
  async tools() {
    const called = [];
    const weather = tool({
      description: "Погода в городе",
      inputSchema: z.object({ city: z.string() }),
      execute: async ({ city }) => called.push(city) && { degrees: -5 },
    });
    const answer = await generateText({
      model: provider()(MODEL), prompt: steps.ASKS_FOR_TOOL, tools: { weather }, stopWhen: stepCountIs(3), maxRetries: 0,
    });
    see(answer.text);
    see(called.length, "the model called no tool");
  },
  async structured() {
    const answer = await generateObject({ model: provider()(MODEL), schema: Weather, prompt: QUESTION, maxRetries: 0 });
    see(answer.object.city);
  },
  async embeddings() {
    const model = provider().textEmbeddingModel(steps.EMBEDDINGS);
    see((await embedMany({ model, values: ["а", "б"], maxRetries: 0 })).embeddings.length === 2);
  },
  wrong_key: () => steps.refused(() => ask("rz_live_wrong"), 401),
  unknown_model: () => steps.refused(() => ask(KEY, "nothing"), 404),
  too_long: () => steps.refused(() => ask(KEY, steps.NARROW_MODEL, steps.TOO_LONG), 400),
  cancel: () =>
    steps.letGo(async () => {
      const stop = new AbortController();
      const model = provider(steps.SMALL_KEY)(MODEL);
      const answer = streamText({ model, prompt: steps.ENDLESS, maxRetries: 0, abortSignal: stop.signal });
      await answer.textStream[Symbol.asyncIterator]().next();
      return () => stop.abort();
    }),
  rate_limit: () => steps.limited(() => ask(steps.SMALL_KEY)),
});
