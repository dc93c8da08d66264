// A component's module. Its folder is no package of Node's, so its text is imported.
import { readFileSync } from 'node:fs';

export const load = (name) => {
  const file = new URL(`../../pages/_components/${name}/index.js`, import.meta.url);
  const text = readFileSync(file).toString('base64');
  return import(`data:text/javascript;base64,${text}`);
};
