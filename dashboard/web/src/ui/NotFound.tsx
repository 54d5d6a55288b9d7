import { say } from '../language.ts';

export function NotFound() {
  return (
    <section class="empty">
      <h1>{say('notFound.title')}</h1>
      <p>{say('notFound.text')}</p>
      <a class="button" href="/app">
        {say('nav.desktops')}
      </a>
    </section>
  );
}
