// Installs the packages when their lock changed, checks the types and builds the apps into */dist. Run by `npm run build` and by every `dotnet build` whose inputs
// here changed (web.proj).
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';

function run(program, args, what) {
  const { status, error, stdout, stderr } = spawnSync(program, args, { cwd: here, encoding: 'utf8', shell: process.platform === 'win32' });
  if (status === 0) return;
  process.stdout.write(`${stdout ?? ''}${stderr ?? ''}`);
  console.error(`error : ${what} failed in src/web${error ? `: ${error.message}` : ` (exit code ${status})`}`);
  process.exit(1);
}

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`error : Node.js 20.19 or newer is needed to build the console; this is ${process.versions.node}`);
  process.exit(1);
}

// The same stamp as tests/run.sh writes, so that neither installs what the other did.
const stampFile = join(here, 'node_modules', '.bridge-stamp');
const stamp = createHash('sha256').update(readFileSync(join(here, 'package.json'))).update(readFileSync(join(here, 'package-lock.json'))).digest('hex');
if (!existsSync(stampFile) || readFileSync(stampFile, 'utf8').trim() !== stamp) {
  console.log('web: npm ci');
  run(npm, ['ci', '--no-progress', '--no-audit', '--no-fund'], 'npm ci');
  writeFileSync(stampFile, `${stamp}\n`);
}

console.log('web: building the console');
const bin = (name) => join(here, 'node_modules', name);
run(process.execPath, [bin('typescript/bin/tsc'), '-p', 'console', '--noEmit'], 'the type check');
run(process.execPath, [bin('vite/bin/vite.js'), 'build', 'console', '--logLevel', 'warn'], 'vite build');
