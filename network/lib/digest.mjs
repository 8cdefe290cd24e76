// Prints name, version and one SHA-256 over all files of a built contract (its dependencies by their lock file).

import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const root = process.argv[2];
const hash = createHash('sha256');
function walk(relative) {
  const path = join(root, relative);
  if (statSync(path).isDirectory()) {
    for (const child of readdirSync(path).sort()) if (child !== 'node_modules') walk(join(relative, child));
  } else {
    const content = readFileSync(path);
    hash.update(`${relative}\0${content.length}\0`).update(content);
  }
}
walk('');
const { name, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
console.log(JSON.stringify({ name, version, sha256: hash.digest('hex') }));
