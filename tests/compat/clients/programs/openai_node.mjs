// The official client for JavaScript.
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import * as steps from "./steps.mjs";

const { BASE_URL, KEY, MODEL, QUESTION, see } = steps;
const made = (apiKey = KEY) => new OpenAI({ baseURL: BASE_URL, apiKey, maxRetries: 0 });
const asked = (content = QUESTION) => [{ role: "user", content }];
const ask = (client, model = MODEL, content = QUESTION) =>
  client.chat.completions.create({ model, messages: asked(content) });
const Weather = z.object({ city: z.string(), degrees: z.number() });

await steps.main({
  async chat() {
    see((await ask(made())).choices[0].message.content);
  },
  async stream() {
    const answer = await made().chat.completions.create({
      model: MODEL, messages: asked(), stream: true, stream_options: { include_usage: true },
    });
    let [text, usage] = ["", null];
    for await (const chunk of answer) {
      text += chunk.choices[0]?.delta.content ?? "";
      usage = chunk.usage ?? usage;
    }
    see(text);
    see(usage.total_tokens);
  },
  async tools() {
    const called = [];
    const weather = {
      name: "weather",
      description: "Погода в городе",
      parse: JSON.parse,
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
      function: ({ city }) => called.push(city) && { degrees: -5 },
    };
    const runner = made().chat.completions.runTools({
      model: MODEL, messages: asked(steps.ASKS_FOR_TOOL), tools: [{ type: "function", function: weather }],
    });
    see(await runner.finalContent());
    see(called.length, "the runner called no tool");
  },
  async structured() {
    const answer = await made().chat.completions.parse({
      model: MODEL, messages: asked(), response_format: zodResponseFormat(Weather, "weather"),
    });
    see(answer.choices[0].message.parsed.city);
  },
  async embeddings() {
    const answer = await made().embeddings.create({ model: steps.EMBEDDINGS, input: ["а", "б"] });
    see(answer.data.length === 2 && answer.data[0].embedding.length > 1);
  },
  async models() {
    const found = [];
    for await (const model of made().models.list()) found.push(model.id);
    see(found.includes(MODEL));
  },
  wrong_key: () => steps.refused(() => ask(made("rz_live_wrong")), 401),
  unknown_model: () => steps.refused(() => ask(made(), "nothing"), 404),
  too_long: () => steps.refused(() => ask(made(), steps.NARROW_MODEL, steps.TOO_LONG), 400),
  cancel: () =>
    steps.letGo(async () => {
      const small = made(steps.SMALL_KEY);
      const answer = await small.chat.completions.create({ model: MODEL, messages: asked(steps.ENDLESS), stream: true });
      await answer[Symbol.asyncIterator]().next();
      return () => answer.controller.abort();
    }),
  rate_limit: () => steps.limited(() => ask(made(steps.SMALL_KEY))),
});
