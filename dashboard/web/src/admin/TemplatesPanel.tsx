import { client, dataOf } from '../client.ts';
import { say, sayTime } from '../language.ts';
import { useLoaded } from '../ui/useLoaded.ts';

const readTemplates = async () =>
  (await dataOf(client.GET('/v1/templates', { params: { query: { limit: 100 } } }))).data;

export function TemplatesPanel() {
  const { value: templates } = useLoaded(readTemplates);
  if (templates === undefined) return <p class="loading">{say('loading')}</p>;
  if (templates.length === 0) return <p class="empty">{say('templates.none')}</p>;
  return (
    <div class="table-box" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">{say('name')}</th>
            <th scope="col">{say('desktop.id')}</th>
            <th scope="col">{say('templates.built')}</th>
            <th scope="col">{say('templates.disk')}</th>
            <th scope="col">{say('templates.warm')}</th>
            <th scope="col">{say('admin.nodes')}</th>
          </tr>
        </thead>
        <tbody>
          {templates.map((template) => (
            <tr key={template.id}>
              <td>{template.name}</td>
              <td>
                <code>{template.id}</code>
              </td>
              <td>{sayTime(template.builtAt)}</td>
              <td>{(template.diskMiB / 1024).toFixed(1)} GiB</td>
              <td>{template.warmSizes.join(', ') || '–'}</td>
              <td>{template.nodeIds.length}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
