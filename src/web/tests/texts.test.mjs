// Languages: every text that a page asks for stands in every catalogue, none stands there unused, and no page says anything that is in no catalogue.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const console_ = join(root, 'console', 'src');

function* files(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* files(path);
    else if (/\.tsx?$/.test(entry.name)) yield path;
  }
}

const parse = (path) => ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true, path.endsWith('x') ? ts.ScriptKind.TSX : ts.ScriptKind.TS);

function catalogue(name) {
  const texts = new Map();
  const visit = (node) => {
    if (ts.isPropertyAssignment(node)) {
      const key = ts.isStringLiteral(node.name) || ts.isIdentifier(node.name) ? node.name.text : assert.fail(node.getText());
      assert.ok(!texts.has(key), `${name} has '${key}' twice`);
      texts.set(key, ts.isStringLiteralLike(node.initializer) ? node.initializer.text : assert.fail(`${name}: ${key} is no plain text`));
    }
    ts.forEachChild(node, visit);
  };
  visit(parse(join(console_, 'texts', `${name}.ts`)));
  return texts;
}

const en = catalogue('en');
const zh = catalogue('zh-CN');
const pages = [...files(console_)].filter((path) => !path.includes(`${join('src', 'texts')}`)).map(parse);

/** Keys asked for by name, and by pattern (`role.${role}`). */
const named = new Set();
const patterns = [];
for (const page of pages) {
  const visit = (node) => {
    if (ts.isStringLiteralLike(node) && !ts.isJsxAttribute(node.parent) && (en.has(node.text) || en.has(`${node.text}.other`))) named.add(node.text);
    if (ts.isJsxAttribute(node) && node.initializer && ts.isStringLiteral(node.initializer) && en.has(node.initializer.text)) named.add(node.initializer.text);
    if (ts.isTemplateExpression(node)) {
      const parts = [node.head.text, ...node.templateSpans.map((span) => span.literal.text)];
      if (/^[a-z][A-Za-z]*\./.test(parts[0]) || /^[a-z][A-Za-z]*\.$/.test(parts[0])) patterns.push(new RegExp(`^${parts.map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('[\\w.+-]+')}$`));
    }
    ts.forEachChild(node, visit);
  };
  visit(page);
}
const stem = (key) => key.replace(/\.(one|other)$/, '');

test('every catalogue has the same keys', () => {
  assert.deepEqual([...zh.keys()].sort(), [...en.keys()].sort());
});

test('every text has its placeholders in every language', () => {
  const placeholders = (text) => [...text.matchAll(/\{\w+\}/g)].map((match) => match[0]).sort();
  for (const [key, text] of en) assert.deepEqual(placeholders(zh.get(key) ?? ''), placeholders(text), key);
});

test('every text that a page asks for is there', () => {
  const missing = [];
  for (const page of pages) {
    const visit = (node) => {
      if (ts.isCallExpression(node) && node.expression.getText().match(/(^|\.)t$/) && node.arguments[0] && ts.isStringLiteralLike(node.arguments[0])) {
        const key = node.arguments[0].text;
        if (!en.has(key) && !en.has(`${key}.other`)) missing.push(`${relative(root, page.fileName)}: ${key}`);
      }
      ts.forEachChild(node, visit);
    };
    visit(page);
  }
  assert.deepEqual(missing, []);
});

test('no text is there that nothing asks for', () => {
  const unused = [...en.keys()].filter((key) => !named.has(key) && !named.has(stem(key)) && !patterns.some((pattern) => pattern.test(key) || pattern.test(stem(key))));
  assert.deepEqual(unused, []);
});

test('no page says anything that is in no catalogue', () => {
  const said = [];
  const spoken = new Set(['aria-label', 'title', 'placeholder', 'alt', 'label']);
  for (const page of pages) {
    const visit = (node) => {
      if (ts.isJsxText(node) && /[\p{L}]/u.test(node.text)) said.push(`${relative(root, page.fileName)}: ${node.text.trim()}`);
      if (ts.isJsxAttribute(node) && spoken.has(node.name.getText()) && node.initializer && ts.isStringLiteral(node.initializer) && /\p{L}/u.test(node.initializer.text))
        said.push(`${relative(root, page.fileName)}: ${node.getText()}`);
      ts.forEachChild(node, visit);
    };
    visit(page);
  }
  // Names of keys are the same in every language.
  assert.deepEqual(said.filter((text) => !/: [a-z]$/.test(text)), []);
});

test('English is not left standing in Chinese', () => {
  const same = [...en].filter(([key, text]) => zh.get(key) === text && /[a-z]{3}/i.test(text.replaceAll(/\{\w+\}/g, '')) && !/^language\.|^system\./.test(key)).map(([key]) => key);
  assert.deepEqual(same, []);
});

test('a title is told to be in the language of its letters, and a code in none', async () => {
  const { outputText } = ts.transpileModule(readFileSync(join(root, 'shared', 'src', 'script.ts'), 'utf8'), { compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 } });
  const { languageOf } = await import(`data:text/javascript,${encodeURIComponent(outputText)}`);
  for (const [text, language] of [
    ['Type 2 diabetes mellitus', 'en'], ['2型糖尿病', 'zh-CN'], ['HIV 感染', 'zh-CN'], ['HIV disease', 'en'], ['E11.9', null], ['44054006', null], ['I10', null], ['', null],
  ]) assert.equal(languageOf(text), language, text);
});
