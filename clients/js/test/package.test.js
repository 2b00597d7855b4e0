// What is published: its content, its types, its size. The directory of the tools is in NPM_TOOLS.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

const { NPM_TOOLS: TOOLS } = process.env, ROOT = fileURLToPath(new URL("..", import.meta.url));
const options = { skip: !TOOLS && "NPM_TOOLS is not set" };
const KIB = 1024;

// Runs the program of a package, and returns what it prints.
function run(path, ...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(TOOLS, path), ...args], { cwd: ROOT, encoding: "utf8" });
  assert.equal(status, 0, stdout + stderr);
  return stdout;
}

test("the package contains what is needed, and no tests", options, () => {
  const { stdout } = spawnSync("npm pack --dry-run --json", { cwd: ROOT, encoding: "utf8", shell: true });
  const files = JSON.parse(stdout)[0].files.map(({ path }) => path.replaceAll("\\", "/")).sort();
  const sources = readdirSync(join(ROOT, "src"), { recursive: true }).map(path => `src/${path.replaceAll("\\", "/")}`);
  const others = ["LICENSE-APACHE", "LICENSE-MIT", "README.md", "bin/halloo.js", "index.d.ts", "package.json"];
  assert.deepEqual(files, [...others, ...sources.filter(path => path.endsWith(".js"))].sort());
});

test("publint and attw find nothing", options, () => {
  assert.match(run("publint/src/cli.js", ".", "--strict"), /All good!/);
  run("@arethetypeswrong/cli/dist/index.js", "--pack", ".", "--profile", "esm-only");
});

test("the types compile with those of browsers and with those of Node.js", options, context => {
  const directory = mkdtempSync(join(tmpdir(), "halloo-types-"));
  context.after(() => rmSync(directory, { recursive: true }));
  const common = { strict: true, noEmit: true, module: "nodenext", target: "es2022", typeRoots: [join(TOOLS, "@types")] };
  // The types of the platforms are not checked; those of the package are, once.
  const browser = { lib: ["es2022", "dom"], types: [], skipDefaultLibCheck: true };
  for (const platform of [browser, { lib: ["es2022"], types: ["node"], skipLibCheck: true }]) {
    const path = join(directory, "tsconfig.json");
    writeFileSync(path, JSON.stringify({ compilerOptions: { ...common, ...platform }, files: [join(ROOT, "test/sample.ts")] }));
    run("typescript/bin/tsc", "--project", path);
  }
});

test("the part for pages has at most 8 KiB, and that of Node.js at most 56", options, async () => {
  const { build } = await import(pathToFileURL(join(TOOLS, "esbuild/lib/main.js")));
  const size = async (entry, rest) => {
    const { outputFiles, warnings } = await build({
      entryPoints: [join(ROOT, entry)], bundle: true, minify: true, splitting: true, format: "esm", write: false,
      outdir: ROOT, ...rest,
    });
    assert.deepEqual(warnings, []);
    return outputFiles.find(({ path }) => path === join(ROOT, entry.replace("src/", ""))).contents.length;
  };
  const page = await size("src/page.js"), program = await size("src/index.js", { platform: "node" });
  console.log(`minified: ${page} bytes for pages, ${program} for Node.js`);
  assert.ok(page <= 8 * KIB, `${page} bytes`);
  assert.ok(program <= 56 * KIB, `${program} bytes`);
});
