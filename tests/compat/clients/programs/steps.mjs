// What every JavaScript program tries, and how it says what came of it: as steps.py does.

export const BASE_URL = `${process.env.RAZVILKA_URL}/v1`;
export const KEY = process.env.RAZVILKA_API_KEY;
// Of a free account: 20 requests a minute, 5 at once.
export const SMALL_KEY = process.env.RAZVILKA_SMALL_KEY;
const AT_ONCE = 5;
export const MODEL = "gigachat-pro";
export const EMBEDDINGS = "gigachat-embeddings";
export const QUESTION = "Какая погода в Казани?";
// The emulated model calls a function by itself only where the text tells it to.
export const ASKS_FOR_TOOL = `${QUESTION} [[call:weather {"city": "Казань"}]]`;
// Two minutes of small pieces: whoever does not end it has not let go.
export const ENDLESS = `${QUESTION} [[tokens:400]] [[chunks:400]] [[gap:300]]`;
// More than this model's window.
export const NARROW_MODEL = "yandexgpt-lite";
export const TOO_LONG = "слово ".repeat(40_000);
const FREED_MS = 20_000;
const TRIES = 3;
const TAKE_EVERY_MS = 50;

export async function main(program) {
  const found = {};
  for (const [name, step] of Object.entries(program)) {
    try {
      await step();
      found[name] = "";
    } catch (error) {
      found[name] = `${error.name}: ${error.message}`.replaceAll(process.cwd(), "").slice(0, 300);
    }
  }
  console.log(JSON.stringify(found));
  process.exit(0);
}

export function see(claim, words) {
  if (!claim) throw new Error(words ?? "there is nothing");
}

// See that the library raises an error with this status, or of this class, among its causes.
export async function refused(step, status, kind) {
  const error = await errorOf(step);
  see(error, "nothing was refused");
  seeStatus(error, status, kind);
}

// See that a request too many is refused as such; the step asks with SMALL_KEY.
export async function limited(step) {
  let error;
  while ((await status()) !== 429);
  // Whatever comes back is taken all the time, however long the library takes to ask.
  const taker = setInterval(status, TAKE_EVERY_MS);
  for (let tried = 0; tried < TRIES && !error; tried += 1) error = await errorOf(step);
  clearInterval(taker);
  see(error, "the limit was not felt");
  seeStatus(error, 429);
}

async function errorOf(step) {
  try {
    await step();
  } catch (error) {
    return error;
  }
  return undefined;
}

function seeStatus(error, status, kind) {
  for (let found = error; found; found = found.cause ?? found.lastError) {
    if (kind ? found.name === kind : (found.status ?? found.statusCode) === status) return;
  }
  throw error;
}

// Hold all the places of SMALL_KEY but one; `start` takes the last, and returns how its stream is let go.
export async function letGo(start) {
  const holding = new AbortController();
  for (let place = 1; place < AT_ONCE; place += 1) await ask({ stream: true }, ENDLESS, holding.signal);
  try {
    const stop = await start();
    see((await status()) === 429, "the stream had ended by itself");
    await stop();
    await seeFreed();
  } finally {
    holding.abort();
  }
}

async function seeFreed() {
  const giveUpAt = performance.now() + FREED_MS;
  while ((await status()) === 429) {
    see(performance.now() < giveUpAt, "the request went on without its reader");
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

async function status() {
  const answer = await ask({ max_tokens: 5 }, QUESTION);
  await answer.text();
  return answer.status;
}

function ask(more, question, signal) {
  const headers = { authorization: `Bearer ${SMALL_KEY}`, "content-type": "application/json" };
  const body = JSON.stringify({ model: MODEL, messages: [{ role: "user", content: question }], ...more });
  return fetch(`${BASE_URL}/chat/completions`, { method: "POST", headers, body, signal });
}
