/** Line icons, 20 × 20, drawn for this product. */
const paths = {
  desktop: 'M3 4.5h14v9H3zM7.5 16.5h5M10 13.5v3',
  nodes: 'M4 4h12v4H4zM4 12h12v4H4zM7 6h.01M7 14h.01',
  settings: 'M4 6h7M15 6h1M4 14h1M9 14h7M11 4v4M9 12v4M5 12v4',
  user: 'M10 10a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM4.5 16.5c.8-2.6 2.8-4 5.5-4s4.700 1.400 5.500 4',
  plus: 'M10 4v12M4 10h12',
  more: 'M4.200 10a.8.8 0 1 0 1.600 0 .8.8 0 0 0-1.600 0M9.200 10a.8.8 0 1 0 1.600 0 .8.8 0 0 0-1.600 0M14.200 10a.8.8 0 1 0 1.600 0 .8.8 0 0 0-1.600 0',
  search: 'M9 14a5 5 0 1 0 0-10 5 5 0 0 0 0 10zM13 13l3.500 3.500',
  close: 'M5 5l10 10M15 5L5 15',
  check: 'M4 10.500l4 4 8-9',
  play: 'M6.500 4.500l9 5.500-9 5.500z',
  pause: 'M7 5v10M13 5v10',
  stop: 'M5.500 5.500h9v9h-9z',
  restart: 'M15.500 8A6 6 0 1 0 16 11M16 4v4h-4',
  trash: 'M4 6h12M8 6V4h4v2M5.500 6l.8 10h7.400l.8-10',
  copy: 'M7 7h9v9H7zM4 13V4h9',
  keyboard: 'M2.500 5.500h15v9h-15zM5 8.500h.01M8 8.500h.01M11 8.500h.01M14 8.500h.01M6.500 11.500h7',
  key: 'M8 12a3.500 3.500 0 1 1 3.200-4.900L17 7v3h-2v2h-3l-.9-1.100A3.500 3.500 0 0 1 8 12zM7.500 8.500h.01',
  alert: 'M10 3.500l7 12.500H3zM10 8v4M10 14h.01',
  screen: 'M3 5h14v10H3zM3 8h14',
  terminal: 'M3 4h14v12H3zM6 8l2.500 2L6 12M10.500 12.500H14',
  file: 'M5 3h6l4 4v10H5zM11 3v4h4',
  folder: 'M3 6h5l2 2h7v8H3z',
  chart: 'M4 16V9M8 16V5M12 16v-5M16 16V7',
  activity: 'M3 10h3l2.500-5 3 10 2.500-5h3',
  download: 'M10 4v8M6.500 9l3.500 3.500L13.500 9M4 16h12',
  upload: 'M10 13V5M6.500 8L10 4.500 13.500 8M4 16h12',
  hand: 'M6 10V5.500a1.200 1.200 0 0 1 2.400 0V9m0-4.500a1.200 1.200 0 0 1 2.400 0V9m0-3.500a1.200 1.200 0 0 1 2.400 0V10m0-2.500a1.200 1.200 0 0 1 2.300 0V12c0 3-2 5-4.700 5S7.700 15.500 6.800 14L4.600 10.800a1.200 1.200 0 0 1 1.400-.8z',
  expand: 'M12 4h4v4M16 4l-4.500 4.500M8 16H4v-4M4 16l4.500-4.500',
  external: 'M8 5H4v11h11v-4M11 4h5v5M16 4l-7 7',
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg
      class="icon"
      width="20"
      height="20"
      viewBox="0 0 20 20"
      fill="none"
      stroke="currentColor"
      stroke-width="1.6"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      <path d={paths[name]} />
    </svg>
  );
}
