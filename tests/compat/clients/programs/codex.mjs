// OpenAI's coding agent, as its users run it without a person: over the Responses API, by a provider of its own.
import { execFile } from "node:child_process";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as steps from "./steps.mjs";

const { BASE_URL, KEY, MODEL, QUESTION, see } = steps;
const PROGRAM = join(import.meta.dirname, "..", "node_modules", ".bin", "codex");
const ASKS_FOR_SHELL = `${QUESTION} [[call:exec_command {"cmd": "echo from the shell"}]]`;
const SETTINGS = Object.entries({
  model_provider: "razvilka",
  "model_providers.razvilka.name": "razvilka",
  "model_providers.razvilka.base_url": BASE_URL,
  "model_providers.razvilka.env_key": "RAZVILKA_API_KEY",
  "model_providers.razvilka.wire_api": "responses",
  "model_providers.razvilka.request_max_retries": 0,
  "model_providers.razvilka.stream_max_retries": 0,
}).flatMap(([name, value]) => ["-c", `${name}=${JSON.stringify(value)}`]);

// Each line of what it prints is an event.
async function events(question, key = KEY, model = MODEL) {
  const folder = await mkdtemp(join(tmpdir(), "codex-"));
  const asked = ["exec", "--json", "--skip-git-repo-check", "-s", "read-only", "-m", model, ...SETTINGS, "-"];
  const environment = { PATH: process.env.PATH, HOME: folder, RAZVILKA_API_KEY: key };
  const printed = await new Promise((resolve) => {
    const made = execFile(PROGRAM, asked, { cwd: folder, env: environment, timeout: 120_000 }, (_, out) => resolve(out));
    made.stdin.end(question);
  });
  return printed.trim().split("\n").map((line) => JSON.parse(line));
}

const items = (found, type) => found.filter((event) => event.item?.type === type).map((event) => event.item);

async function refused(words, ...asked) {
  const failed = (await events(...asked)).find((event) => event.type === "turn.failed");
  see(failed?.error.message.includes(words), JSON.stringify(failed));
}

await steps.main({
  async chat() {
    see(items(await events(QUESTION), "agent_message")[0].text);
  },
  async tools() {
    const found = await events(ASKS_FOR_SHELL);
    see(items(found, "command_execution").some((item) => item.aggregated_output.includes("from the shell")));
    see(items(found, "agent_message").at(-1).text);
  },
  wrong_key: () => refused("401", QUESTION, "rz_live_wrong"),
  unknown_model: () => refused("does not exist", QUESTION, KEY, "nothing"),
  too_long: () => refused("context window", steps.TOO_LONG, KEY, steps.NARROW_MODEL),
});
