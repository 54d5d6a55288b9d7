import { fakeGround } from './ground.ts';
import { play, type Mishap, type OpenGround, type Plan } from './world.ts';

export interface Tally {
  runs: number;
  failures: string[];
}

/** The crash matrix on one ground: a plan is played once without a mishap, then with one at every point of that. */
export interface Campaign {
  /** One thing at each point. */
  single: (plan: Plan, kinds: readonly Mishap[]) => Promise<Tally>;
  /**
   * Something at one point, and another thing at a later one. With one kind of `second` every pair of points is played;
   * with several, which take turns, every other pair.
   */
  double: (plan: Plan, first: readonly Mishap[], second: readonly Mishap[]) => Promise<Tally>;
}

const failuresMax = 20;

/** @param every of all trials this part is played, so that a long campaign has a short half */
export function campaign(openGround: OpenGround = fakeGround, every = 1): Campaign {
  let count = 0;

  /** @param mishaps number of the point and what happens there, in order. */
  async function trial(tally: Tally, plan: Plan, mishaps: readonly (readonly [number, Mishap])[]): Promise<void> {
    count += 1;
    if (count % every !== 0) return;
    const outcome = await play({ ...plan, mishaps: new Map(mishaps) }, openGround);
    tally.runs += 1;
    if (outcome.wrong.length > 0 && tally.failures.length < failuresMax) {
      const where = mishaps.map(([at, what]) => `${what} at ${at} (${outcome.points[at - 1]})`).join(', ');
      tally.failures.push(`${where}: ${outcome.wrong.join('; ')}`);
    }
  }

  async function pointsOf(plan: Plan, tally: Tally): Promise<number[]> {
    const clean = await play(plan, openGround);
    if (clean.wrong.length > 0) tally.failures.push(`without a mishap: ${clean.wrong.join('; ')}`);
    return clean.points.map((_, at) => at + 1);
  }

  return {
    async single(plan, kinds) {
      const tally: Tally = { runs: 0, failures: [] };
      for (const at of await pointsOf(plan, tally)) for (const kind of kinds) await trial(tally, plan, [[at, kind]]);
      return tally;
    },
    async double(plan, first, second) {
      const tally: Tally = { runs: 0, failures: [] };
      const stride = second.length === 1 ? 1 : 2;
      for (const at of await pointsOf(plan, tally)) {
        for (const kind of first) {
          const { points } = await play({ ...plan, mishaps: new Map([[at, kind]]) }, openGround);
          for (let later = at + 1 + (at % stride); later <= points.length; later += stride) {
            const then = second[Math.floor((at + later) / stride) % second.length] ?? 'crash';
            await trial(tally, plan, [
              [at, kind],
              [later, then],
            ]);
          }
        }
      }
      return tally;
    },
  };
}
