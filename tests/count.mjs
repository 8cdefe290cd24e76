// Reads what a test runner left and prints one line "passed failed skipped excused", then its failures and skips.
// usage: node tests/count.mjs trx FILE | node FILE
// "excused" are the skipped tests that need a real Fabric: their reason names FABRIC_BIN.
import { existsSync, readFileSync } from 'node:fs';

const [kind, file] = process.argv.slice(2);
const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
const failures = [], skips = [];
let passed = 0, failed = 0, skipped = 0;

const unescape = (s) => s.replace(/&#x([0-9A-Fa-f]+);/g, (_, h) => String.fromCodePoint(parseInt(h, 16)))
  .replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&quot;/g, '"').replace(/&apos;/g, "'").replace(/&amp;/g, '&');

if (kind === 'trx') {
  // The counters of a trx leave skipped tests out: count the results themselves.
  for (const [, attributes, body = ''] of text.matchAll(/<UnitTestResult\s([^>]*?)(?:\/>|>([\s\S]*?)<\/UnitTestResult>)/g)) {
    const name = unescape(/testName="([^"]*)"/.exec(attributes)?.[1] ?? '?');
    const outcome = /outcome="([^"]*)"/.exec(attributes)?.[1] ?? '';
    const message = unescape(/<Message>([\s\S]*?)<\/Message>/.exec(body)?.[1] ?? '').trim();
    if (outcome === 'Passed') passed++;
    else if (outcome === 'NotExecuted') { skipped++; skips.push([name, message]); }
    else { failed++; failures.push(`${name}\n${message}\n${unescape(/<StackTrace>([\s\S]*?)<\/StackTrace>/.exec(body)?.[1] ?? '').split('\n').slice(0, 6).join('\n')}`); }
  }
} else {
  // node:test, TAP or spec; a package may run it several times. A suite (describe) is no test of its own: the closing lines do not count it.
  for (const [, what, n] of text.matchAll(/^(?:#|ℹ) (pass|fail|cancelled|skipped|todo) (\d+)$/gm)) {
    if (what === 'pass') passed += +n;
    else if (what === 'fail' || what === 'cancelled') failed += +n;
    else skipped += +n;
  }
  for (const [, name, reason] of text.matchAll(/^\s*ok \d+ - (.*?) # (?:SKIP|TODO) ?(.*)$/gm)) skips.push([name, reason]);
  for (const [, name, reason] of text.matchAll(/^\s*﹣ (.*?) \([\d.]+ms\) # (.*)$/gm)) skips.push([name, reason]);
  const tail = /^✖ failing tests:$/m.exec(text);
  if (tail) failures.push(text.slice(tail.index));
  else for (const m of text.matchAll(/^(\s*)not ok \d+ - .*\n(?:\1  .*\n)*/gm)) failures.push(m[0].trimEnd());
}

const excused = skips.filter(([, reason]) => reason.includes('FABRIC_BIN')).length;
console.log(passed, failed, skipped, excused);
for (const f of failures) console.log(f.split('\n').slice(0, 60).map((line) => `    ${line}`).join('\n'));
const reasons = new Map();
for (const [name, reason] of skips) reasons.set(reason, [...(reasons.get(reason) ?? []), name]);
for (const [reason, names] of reasons) console.log(`    skipped (${names.length}): ${reason || 'no reason given'}: ${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}`);
