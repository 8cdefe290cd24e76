import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(__dirname, '..', '..');
const textsOf = (folder: string): string[] =>
  readdirSync(join(root, folder)).flatMap((name) => {
    const path = join(folder, name);
    return statSync(join(root, path)).isDirectory() ? textsOf(path) : name.endsWith('.ts') && name !== 'interface.test.ts' ? [readFileSync(join(root, path), 'utf8')] : [];
  });

/** Words in capitals that the interface uses for something else than a refusal or an outcome. */
const otherWords = new Set([
  'PENDING', 'ACTIVE', 'REVOKED', 'APPROVED', 'PROPOSED', 'PUBLISHED', 'SWEPT', 'MORE', 'DISCARDED', 'LIVE', 'VALID',
  'REQUESTED', 'ENROLLED', 'ANCHORED', 'SUPERSEDED', 'RETRACTED', 'ENTERED_IN_ERROR', 'WRONG_PATIENT', 'MERGED', 'BRIDGE_CONSORTIUM_FILE',
]);

const readme = readFileSync(join(root, 'README.md'), 'utf8');
const codes = new Set([...readme.matchAll(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|[A-Z]{5,})`/g)].map((match) => match[1] as string).filter((word) => !otherWords.has(word)));
const tests = textsOf('test').join('\n');
const sources = textsOf('src').join('\n');

test('The interface names its refusals', () => {
  for (const code of ['FORGED', 'LOCKED', 'ERASED', 'WITHDRAWN', 'SCHEMA', 'HIGH_S', 'DOCTOR_STALE', 'CLOCK_SKEW', 'NONE_ANCHORED', 'UNKNOWN_FUNCTION']) assert.ok(codes.has(code), code);
  assert.ok(codes.size > 90, String(codes.size));
});

for (const code of codes)
  test(`Some test sees ${code}`, () => {
    // in an assertion, not in a title: 'CODE' as an argument or in an array of outcomes
    const seen = new RegExp(`[(\\[,] ?'${code}'[,)\\]]`).test(tests);
    assert.ok(seen, `${code} stands in README.md, but no test expects it`);
  });

test('The contract refuses with no code that the interface lacks', () => {
  const used = [...sources.matchAll(/(?:refuse|stop|fail|under|fault|Refusal)\(\s*'([A-Z][A-Z_]+)'/g)].map((match) => match[1] as string);
  assert.ok(used.length > 60);
  assert.deepEqual([...new Set(used)].filter((code) => !codes.has(code)), []);
});
