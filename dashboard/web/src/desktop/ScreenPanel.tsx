import type { DesktopData } from '@lebureau/sdk/types';
import { Thumbnail } from '../desktops/Thumbnail.tsx';

export function ScreenPanel({ desktop }: { desktop: DesktopData }) {
  return <Thumbnail desktop={desktop} />;
}
