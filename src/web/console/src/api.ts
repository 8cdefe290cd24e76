/** An answer of the hospital's API. */
export interface Answer<T> {
  readonly status: number;
  readonly body: T;
}

/** What a decision or act answers: a named outcome. */
export interface Outcome {
  readonly outcome: string;
}

/** How long an answer may take before it counts as lost; two hundred signatures are checked well within it. */
const patience = 60_000;

/** The server could not be reached, or failed: nothing is known of what became of the act. */
export class Unreachable extends Error {}

/** Called when the session is over; the page then asks to sign in again. */
let ended: () => void = () => undefined;
export const onSessionEnd = (act: () => void): void => {
  ended = act;
};

/**
 * Calls the API. A refusal with a named outcome is an answer, not an exception.
 * @param background what the page does by itself: it does not keep the session alive
 */
export async function call<T>(method: 'GET' | 'POST' | 'PUT', path: string, body?: unknown, background = false): Promise<Answer<T>> {
  const headers: Record<string, string> = { 'X-Bridge-Console': '1', 'Accept-Language': document.documentElement.lang };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (background) headers['X-Bridge-Background'] = '1';
  let response: Response;
  try {
    response = await fetch(path, { method, headers, body: body === undefined ? null : JSON.stringify(body), credentials: 'same-origin', cache: 'no-store', signal: AbortSignal.timeout(patience) });
  } catch {
    throw new Unreachable();
  }
  if (response.status === 401) {
    ended();
    throw new Unreachable();
  }
  const text = await response.text().catch(() => {
    throw new Unreachable();
  });
  const said = (text.startsWith('{') ? JSON.parse(text) : {}) as object;
  // A named outcome is an answer, whatever the status: that another system does not answer, say.
  if (response.status >= 500 && !('outcome' in said)) throw new Unreachable();
  return { status: response.status, body: said as T };
}

export const get = async <T>(path: string, background = false): Promise<T> => {
  const answer = await call<T>('GET', path, undefined, background);
  if (answer.status !== 200) throw new Unreachable();
  return answer.body;
};

export const post = <T extends Outcome>(path: string, body: unknown = {}): Promise<Answer<T>> => call<T>('POST', path, body);
