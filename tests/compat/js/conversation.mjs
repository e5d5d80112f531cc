// The script and the test talk in lines of JSON: the test plays the person at the browser.
import { createInterface } from 'node:readline'

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

export const config = JSON.parse(process.argv[2])

// Resolves when the line is out: a process that exits before may lose it.
export function say(message) {
  return new Promise((resolve) => process.stdout.write(`${JSON.stringify(message)}\n`, resolve))
}

// Send the person to `url`; return the URL that the browser was sent back to.
export async function visit(url) {
  await say({ visit: String(url) })
  const { value } = await lines.next()
  return new URL(JSON.parse(value).redirected)
}

// Run the client; whatever it throws is what the test reads.
export async function run(client) {
  try {
    await say({ done: await client() })
    process.exit(0)
  } catch (error) {
    await say({ failed: `${error.name}: ${error.message} ${JSON.stringify(error.cause ?? null)}` })
    process.exit(1)
  }
}
