// What the Rust test tells a script (standard input) and what the script tells the test (last line of standard output).
import { text } from 'node:stream/consumers';

export const brief = JSON.parse(await text(process.stdin));

export function tell(result) {
  console.log(JSON.stringify(result));
}
