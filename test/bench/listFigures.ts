import { type Figure, figure, quantile, summary, timeEach } from './figure.ts';
export async function listFigures(): Promise<Figure[]> {
  return [];
}
void figure;
void quantile;
void summary;
void timeEach;
