// LangChain for JavaScript: chat model, an agent with a tool, structured output, embeddings.
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { createAgent, tool } from "langchain";
import { z } from "zod";
import * as steps from "./steps.mjs";

const { BASE_URL, KEY, MODEL, QUESTION, see } = steps;
const configuration = { baseURL: BASE_URL };
const made = (apiKey = KEY, model = MODEL) => new ChatOpenAI({ model, apiKey, maxRetries: 0, configuration });
const Weather = z.object({ city: z.string(), degrees: z.number() });

await steps.main({
  async chat() {
    see((await made().invoke(QUESTION)).content);
  },
  async stream() {
    let text = "";
    for await (const chunk of await made().stream(QUESTION)) text += chunk.content;
    see(text);
  },
  async tools() {
    const called = [];
    const weather = tool(({ city }) => called.push(city) && `${city}: -5`, {
      name: "weather", description: "Погода в городе", schema: z.object({ city: z.string() }),
    });
    const agent = createAgent({ model: made(), tools: [weather] });
    const { messages } = await agent.invoke({ messages: [{ role: "user", content: steps.ASKS_FOR_TOOL }] });
    see(messages.at(-1).content);
    see(called.length, "the agent called no tool");
  },
  async structured() {
    see((await made().withStructuredOutput(Weather).invoke(QUESTION)).city);
  },
  async embeddings() {
    const vectors = new OpenAIEmbeddings({ model: steps.EMBEDDINGS, apiKey: KEY, configuration });
    see((await vectors.embedDocuments(["а", "б"])).length === 2);
  },
  wrong_key: () => steps.refused(() => made("rz_live_wrong").invoke(QUESTION), 401),
  unknown_model: () => steps.refused(() => made(KEY, "nothing").invoke(QUESTION), 404),
  too_long: () =>
    // The class by which its middleware knows that a conversation must be trimmed.
    steps.refused(() => made(KEY, steps.NARROW_MODEL).invoke(steps.TOO_LONG), 400, "ContextOverflowError"),
  cancel: () =>
    steps.letGo(async () => {
      const stop = new AbortController();
      const answer = await made(steps.SMALL_KEY).stream(steps.ENDLESS, { signal: stop.signal });
      await answer[Symbol.asyncIterator]().next();
      return () => stop.abort();
    }),
  rate_limit: () => steps.limited(() => made(steps.SMALL_KEY).invoke(QUESTION)),
});
