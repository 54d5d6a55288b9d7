import type { Visit } from '../visit.ts';
import type { Place, Places } from './place.ts';
import type { Way } from './previewWays.ts';

/** A request on its way to a port of a guest. */
export interface Passing {
  visit: Visit;
  place: Place;
  places: Places;
  way: Way;
}
