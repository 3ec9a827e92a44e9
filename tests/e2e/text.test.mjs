// Every word of the page is there in every language, and says the same with the same blanks.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const root = new URL('../../', import.meta.url);
const read = (/** @type {string} */ path) => readFileSync(new URL(path, root), 'utf8');
/** @type {Record<string, Record<string, string | Record<string, string>>>} */
const texts = Object.fromEntries(['en', 'ru'].map((lang) => [lang, JSON.parse(read(`www/text/${lang}.json`))]));

const sources = [
  read('index.html'),
  ...readdirSync(new URL('www/', root), { recursive: true })
    .map(String)
    .filter((path) => path.endsWith('.js'))
    .map((path) => read(`www/${path}`)),
].join('\n');

/** The forms of an entry. @param {string | Record<string, string>} entry */
const forms = (entry) => (typeof entry === 'string' ? [entry] : Object.values(entry));
const blanks = (/** @type {string} */ text) => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort().join(' ');

test('the languages have the same entries', () => {
  assert.deepEqual(Object.keys(texts.ru), Object.keys(texts.en));
});

test('an entry has the same blanks in every language and every form', () => {
  for (const key of Object.keys(texts.en)) {
    const wanted = blanks(forms(texts.en[key]).at(-1) ?? '');
    for (const lang of ['en', 'ru'])
      for (const form of forms(texts[lang][key])) assert.equal(blanks(form) || wanted, wanted, key);
  }
});

test('plural forms are those of the language', () => {
  for (const [lang, entries] of Object.entries(texts)) {
    const known = ['cardinal', 'ordinal'].flatMap(
      (type) =>
        new Intl.PluralRules(lang, { type: /** @type {'cardinal'} */ (type) }).resolvedOptions().pluralCategories,
    );
    for (const [key, entry] of Object.entries(entries))
      if (typeof entry !== 'string')
        for (const form of Object.keys(entry))
          assert.ok(known.includes(/** @type {any} */ (form)), `${lang} ${key}: ${form}`);
  }
});

test('every line that an import may report has its words, with the same blanks', () => {
  const rust = readdirSync(new URL('src/format/', root), { recursive: true })
    .map(String)
    .filter((path) => path.endsWith('.rs'))
    .map((path) => read(`src/format/${path}`))
    .join('\n');
  const lines = [...rust.matchAll(/\bline!\(\s*"([^"]+)",\s*"((?:[^"\\]|\\.)*)"/g)];
  assert.ok(lines.length > 30, `${lines.length}`);
  for (const [, code, sentence] of lines)
    assert.equal(blanks(forms(texts.en[`import.line.${code}`] ?? code).join(' ')), blanks(sentence), code);
});

test('every word asked for by name is there', () => {
  const asked = [
    ...sources.matchAll(/data-t(?:-label|-title|-placeholder)?="([^"]+)"|\b(?:t|rich|template)\('([\w.-]+)'/g),
  ];
  assert.ok(asked.length > 100, `${asked.length}`);
  for (const [, inPage, inScript] of asked) assert.ok((inPage ?? inScript) in texts.en, inPage ?? inScript);
});
