// The map of classes can be read without colour vision, however many classes there are.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KINDS, numeral } from '../../www/draw/labels.js';

/** CIE L* of a colour. @param {string} hex */
function lightness(hex) {
  const [r, g, b] = [1, 3, 5]
    .map((i) => Number.parseInt(hex.slice(i, i + 2), 16) / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  const y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
  return y > 0.008856 ? 116 * Math.cbrt(y) - 16 : 903.3 * y;
}

test('any two classes differ in hatching, or by more than 15 in lightness', () => {
  assert.equal(KINDS.length, 33);
  for (const [i, one] of KINDS.entries())
    for (const other of KINDS.slice(i + 1)) {
      const apart = Math.abs(lightness(one.colour) - lightness(other.colour));
      assert.ok(one.hatch !== other.hatch || apart > 15, `${JSON.stringify([one, other])}: ${apart}`);
    }
});

test('the first nine differ in colour as well, and only where the answer stands nothing is hatched', () => {
  assert.equal(new Set(KINDS.slice(0, 9).map(({ colour }) => colour)).size, 9);
  assert.deepEqual(
    KINDS.filter(({ hatch }) => hatch === ''),
    [KINDS[0]],
  );
});

test('a class beyond these carries its number, which no other class has', () => {
  const marks = Array.from({ length: 100 }, (_, kind) => numeral(kind));
  assert.ok(marks.slice(0, KINDS.length).every((mark) => mark === ''));
  assert.equal(new Set(marks.slice(KINDS.length)).size, 100 - KINDS.length);
});
