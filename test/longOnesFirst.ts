import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Test files that take long, in their order, before all others: at the end nobody waits for one of them alone. vitest itself
 * knows what a file took only where it ran before, and else begins with those that have most lines.
 * @param long paths without `.test.ts`
 */
export function longOnesFirst(long: readonly string[]) {
  const rank = ({ moduleId }: TestSpecification) => {
    const at = long.findIndex((each) => moduleId.endsWith(`/${each}.test.ts`));
    return at < 0 ? long.length : at;
  };
  return class extends BaseSequencer {
    override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
      return (await super.sort(files)).toSorted((one, other) => rank(one) - rank(other));
    }
  };
}
