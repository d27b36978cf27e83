addEventListener('message', async (event) => {
  const answer = (text) => event.source.postMessage(text, event.origin);
  const [client, state, more] = typeof event.data === 'string' ? event.data.split(' ') : [];
  const salt = state === undefined ? undefined : state.split('.')[1];
  if (event.source === null || event.source === window) return;
  if (client === undefined || salt === undefined || more !== undefined || !crypto.subtle) return answer('error');
  const name = document.body.dataset.cookie + '=';
  const cookie = document.cookie.split('; ').find((text) => text.startsWith(name));
  const own = cookie === undefined ? '' : cookie.slice(name.length);
  const text = [client, event.origin, own, salt].join(' ');
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)));
  const encoded = btoa(String.fromCharCode(...digest)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
  return answer(encoded + '.' + salt === state ? 'unchanged' : 'changed');
});
