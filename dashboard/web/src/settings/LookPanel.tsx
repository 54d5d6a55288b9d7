import { useStore } from '@nanostores/preact';
import { chooseLanguage, language, languages, say, type Language } from '../language.ts';
import { chooseLook, look, looks, type Look } from '../look.ts';

export function LookPanel() {
  const currentLook = useStore(look);
  const currentLanguage = useStore(language);
  return (
    <div class="panel">
      <label class="field">
        <span>{say('look.theme')}</span>
        <select value={currentLook} onChange={(event) => chooseLook(event.currentTarget.value as Look)}>
          {looks.map((each) => (
            <option key={each} value={each}>
              {say(`look.${each}`)}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        <span>{say('look.language')}</span>
        <select
          value={currentLanguage}
          onChange={(event) => void chooseLanguage(event.currentTarget.value as Language)}
        >
          {Object.entries(languages).map(([id, name]) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}
