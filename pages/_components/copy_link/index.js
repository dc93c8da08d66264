// Copy a text by the clipboard, or the old way on a page without https or if it is refused.
export const copy = (text, clipboard, old) =>
  clipboard ? clipboard.writeText(text).catch(old) : old();

export default function ({ parentElement }) {
  const button = parentElement.querySelector('button');
  const say = (words) => {
    button.textContent = words;
  };
  const old = () => {
    // the clipboard of a page without https
    const field = document.createElement('textarea');
    field.value = location.href;
    document.body.append(field);
    field.select();
    const copied = document.execCommand('copy');
    field.remove();
    return copied ? Promise.resolve() : Promise.reject();
  };
  say('Copy link');
  button.onclick = () =>
    copy(location.href, navigator.clipboard, old)
      .then(
        () => say('Copied'),
        () => say('Copy it from the address bar'),
      )
      .then(() => setTimeout(() => say('Copy link'), 2000));
}
