/** What makes one waiting machine as good as another: a desktop gets one of exactly its own kind. */
export interface PoolKind {
  templateId: string;
  vcpus: number;
  memoryMiB: number;
  diskGiB: number;
  network: 'internet' | 'none';
}

export function poolKeyOf(kind: PoolKind): string {
  return `${kind.templateId}/${kind.vcpus}x${kind.memoryMiB}x${kind.diskGiB}/${kind.network}`;
}
