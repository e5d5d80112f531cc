// Anthropic's coding agent, as its users run it without a person: over the Messages API.
import { execFile } from "node:child_process";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as steps from "./steps.mjs";

const { KEY, MODEL, QUESTION, see } = steps;
const PROGRAM = join(import.meta.dirname, "..", "node_modules", "@anthropic-ai", "claude-code", "cli-wrapper.cjs");
const ASKS_FOR_SHELL = `${QUESTION} [[call:Bash {"command": "echo from the shell", "description": "says it"}]]`;
// One of its other tools is larger than GigaChat takes; TaskUpdate has a schema of which zod says more than it knows.
const TOOLS = "Bash,Read,Edit,Write,Glob,Grep,TaskCreate,TaskUpdate";

// Each line of what it prints is an event; the last one is the result.
async function events(question, key = KEY, model = MODEL) {
  const folder = await mkdtemp(join(tmpdir(), "claude-"));
  const asked = ["-p", "--output-format", "stream-json", "--verbose", "--tools", TOOLS, "--allowedTools", "Bash"];
  const environment = {
    PATH: process.env.PATH,
    HOME: folder,
    ANTHROPIC_BASE_URL: process.env.RAZVILKA_URL,
    ANTHROPIC_API_KEY: key,
    ANTHROPIC_MODEL: model,
    ANTHROPIC_SMALL_FAST_MODEL: model,
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
    CLAUDE_CODE_MAX_RETRIES: "0",
  };
  const options = { cwd: folder, env: environment, timeout: 120_000, maxBuffer: 16 * 1024 * 1024 };
  const printed = await new Promise((resolve) => {
    const made = execFile(process.execPath, [PROGRAM, ...asked], options, (_, out) => resolve(out));
    made.stdin.end(question);
  });
  return printed.trim().split("\n").map((line) => JSON.parse(line));
}

async function refused(words, ...asked) {
  const { is_error, result } = (await events(...asked)).at(-1);
  see(is_error && result.includes(words), result);
}

await steps.main({
  async chat() {
    const { is_error, result } = (await events(QUESTION)).at(-1);
    see(!is_error && result, result);
  },
  async tools() {
    const found = await events(ASKS_FOR_SHELL);
    see(found.some((event) => JSON.stringify(event.tool_use_result ?? "").includes("from the shell")), "it called nothing");
    see(!found.at(-1).is_error && found.at(-1).result, found.at(-1).result);
  },
  wrong_key: () => refused("API key", QUESTION, "rz_live_wrong"),
  unknown_model: () => refused("nothing", QUESTION, KEY, "nothing"),
  too_long: () => refused("too long", steps.TOO_LONG, KEY, steps.NARROW_MODEL),
});
