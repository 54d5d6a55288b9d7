import { say } from '../language.ts';
import { KeyTable } from '../settings/KeyTable.tsx';
import { readKeys } from '../settings/readKeys.ts';
import { useLoaded } from '../ui/useLoaded.ts';
import { readUsers } from './readUsers.ts';

const readAll = async () => {
  const [keys, users] = await Promise.all([readKeys(), readUsers()]);
  return { keys, names: new Map(users.map(({ id, name }) => [id, name])) };
};

/** The keys of everybody. */
export function PeoplesKeysPanel() {
  const { value, reload } = useLoaded(readAll);
  if (value === undefined) return <p class="loading">{say('loading')}</p>;
  const { keys, names } = value;
  return (
    <>
      <p class="soft page-head">{say('keys.ofAll')}</p>
      <KeyTable
        keys={keys}
        makerOf={({ createdBy }) => (createdBy === null ? say('keys.atStart') : (names.get(createdBy) ?? createdBy))}
        onChange={reload}
      />
    </>
  );
}
