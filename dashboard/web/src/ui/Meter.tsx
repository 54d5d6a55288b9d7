/** How much of something is taken, as a bar and in words. */
export function Meter({ label, used, total, text }: { label: string; used: number; total: number; text: string }) {
  const share = total > 0 ? Math.min(100, (used / total) * 100) : 0;
  return (
    <div class="meter-row">
      <span class="soft">{label}</span>
      <svg class="meter" viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label={`${label}: ${text}`}>
        <rect width="100" height="6" class="meter-track" />
        <rect width={share} height="6" class={share > 90 ? 'meter-bar high' : 'meter-bar'} />
      </svg>
      <span>{text}</span>
    </div>
  );
}
