import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonical, readCanonicalObject } from '../src/rules/canonical';
import { depthOf, JsonSyntaxError, parseJson } from '../src/rules/json';

const values = [
  'null', 'true', 'false', '0', '-0', '1.5e3', '""', '"\\u00e9\\ud83d\\ude00\\n\\/"', '[]', '[1,[2]]', '{}', ' { "a" : [ 1 , 2 ] } ', '{"__proto__":1,"constructor":2}',
];
for (const text of values)
  test(`parseJson reads ${text}`, () => {
    assert.equal(canonical(parseJson(text, 16).value), canonicalByHand(JSON.parse(text) as unknown));
  });

const canonicalByHand = (value: unknown): string =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? `{${Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonicalByHand((value as Record<string, unknown>)[key])}`).join(',')}}`
    : Array.isArray(value) ? `[${value.map(canonicalByHand).join(',')}]` : JSON.stringify(value);

const faults: Readonly<Record<string, string>> = {
  'nothing': '', 'white space': ' ', 'a bare word': 'nul', 'a comment': '{}//', 'two values': '1 2', 'a trailing comma': '[1,]', 'a leading comma': '[,1]', 'an unquoted name': '{a:1}',
  'single quotes': "{'a':1}", 'a missing colon': '{"a" 1}', 'a missing value': '{"a":}', 'an open object': '{"a":1', 'an open string': '"a', 'a raw control character': '"a\u0001"', 'a raw tab': '"\t"',
  'a bad escape': '"\\x"', 'a short escape': '"\\u12"', 'a lone high surrogate': '"\\ud800"', 'a lone low surrogate': '"\\udc00x"', 'surrogates the wrong way round': '"\\udc00\\ud800"', 'a leading zero': '01',
  'a plus': '+1', 'a bare point': '.5', 'a point at the end': '1.', 'an open exponent': '1e', 'a number out of range': '1e999', 'NaN': 'NaN', 'Infinity': '-Infinity', 'hexadecimal': '0x1',
  'a byte order mark': '\ufeff{}', 'a no-break space': '\u00a01', 'an escape named like a member of Object': '"\\constructor"',
};
for (const [name, text] of Object.entries(faults))
  test(`parseJson refuses ${name}`, () => {
    assert.throws(() => parseJson(text, 16), JsonSyntaxError);
    assert.throws(() => parseJson(Buffer.from(text), 16), JsonSyntaxError);
  });

test('parseJson refuses what is not UTF-8', () => {
  for (const bytes of [[0x22, 0xff, 0x22], [0x22, 0xc0, 0x80, 0x22], [0x22, 0xed, 0xa0, 0x80, 0x22], [0xff, 0xfe, 0x31, 0x00]])
    assert.throws(() => parseJson(Buffer.from(bytes), 16), JsonSyntaxError);
});

test('parseJson sees duplicate members wherever they stand, also in other spellings', () => {
  assert.deepEqual(parseJson('{"a":1,"b":[{"c":1,"\\u0063":2}],"a":3}', 16).duplicates, [['b', 0, 'c'], ['a']]);
  assert.deepEqual(parseJson('{"a":{"x":1},"b":{"x":1}}', 16).duplicates, []);
  assert.deepEqual(parseJson('{"__proto__":1,"__proto__":2}', 16).duplicates, [['__proto__']]);
});

test('parseJson counts the outermost level of nesting', () => {
  const nested = (n: number): string => '['.repeat(n) + ']'.repeat(n);
  assert.equal(depthOf(parseJson(nested(16), 16).value), 16);
  assert.throws(() => parseJson(nested(17), 16), JsonSyntaxError);
  assert.throws(() => parseJson('['.repeat(200_000), 16), JsonSyntaxError);
});

test('canonical writes numbers, strings and members as RFC 8785 does', () => {
  const sample = String.raw`{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001,-0,1e21,9007199254740993],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}`;
  assert.equal(
    canonical(parseJson(sample, 16).value),
    String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27,0,1e+21,9007199254740992],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
  );
  const members = String.raw`{"\u20ac":"Euro","\r":"CR","\ufb33":"Dalet","1":"One","\ud83d\ude00":"Smile","\u0080":"Control","\u00f6":"o"}`;
  assert.deepEqual(Object.values(JSON.parse(canonical(parseJson(members, 16).value)) as object).length, 7);
  const order = [...canonical(parseJson(members, 16).value).matchAll(/:"(\w+)"/g)].map((match) => match[1]);
  assert.deepEqual(order, ['CR', 'One', 'Control', 'o', 'Euro', 'Smile', 'Dalet']);
});

test('canonical has no form for what JSON cannot say', () => {
  assert.throws(() => canonical(Number.NaN));
  assert.throws(() => canonical('\ud800'));
});

test('readCanonicalObject tells an object, another spelling and no object apart', () => {
  const state = (text: string): string => readCanonicalObject(Buffer.from(text), 16).state;
  assert.equal(state('{"a":1,"b":2}'), 'OBJECT');
  for (const text of ['{"b":2,"a":1}', '{"a":1 }', '{"a":1.0}', '{"a":"\\u0041"}', '{"a":9007199254740993}']) assert.equal(state(text), 'NOT_CANONICAL');
  for (const text of ['[]', '1', '', '{"a":1,"a":1}', '{"a":']) assert.equal(state(text), 'NO_OBJECT');
});
