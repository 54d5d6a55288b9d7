import { expect, test } from 'vitest';
import { BudgetSpent, ByteBudget } from './byteBudget.ts';

test('what parts take is bounded by each and by the whole, and what is refused is not taken', () => {
  const whole = new ByteBudget(10);
  const [one, other] = [new ByteBudget(8, whole), new ByteBudget(8, whole)];
  one.take(8);
  expect(() => one.take(1)).toThrow(BudgetSpent);
  expect(() => other.take(3)).toThrow(BudgetSpent);
  expect([one.usedBytes, other.usedBytes, whole.usedBytes]).toEqual([8, 0, 8]);
  other.take(2);
  one.give(8);
  other.take(6);
  expect([one.usedBytes, other.usedBytes, whole.usedBytes]).toEqual([0, 8, 8]);
});
