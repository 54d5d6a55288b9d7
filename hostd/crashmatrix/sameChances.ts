import { afterEach, beforeEach, vi } from 'vitest';

/** Makes the chances of each test the same at every run. @returns begins them anew in the middle of a test */
export function sameChances(): () => void {
  let state = 1;
  const anew = () => {
    state = 1;
  };
  beforeEach(() => {
    anew();
    vi.spyOn(Math, 'random').mockImplementation(() => {
      state = (state * 48_271) % 2_147_483_647;
      return state / 2_147_483_647;
    });
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });
  return anew;
}
