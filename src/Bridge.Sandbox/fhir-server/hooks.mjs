// R4 rest-hook subscriptions, to loopback addresses only.
import { matchesSearchRequest, parseSearchRequest } from '@medplum/core';

const loopback = new Set(['127.0.0.1', 'localhost', '[::1]']);

export async function notify(repository, resource) {
  const subscriptions = (await repository.search({ resourceType: 'Subscription', count: 1000 })).entry ?? [];
  for (const { resource: subscription } of subscriptions) {
    const channel = subscription.channel;
    if (subscription.status !== 'active' || channel?.type !== 'rest-hook') continue;
    if (!matchesSearchRequest(resource, parseSearchRequest(subscription.criteria))) continue;
    const endpoint = new URL(channel.endpoint);
    if (!loopback.has(endpoint.hostname)) continue;
    const headers = Object.fromEntries((channel.header ?? []).map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    }));
    if (channel.payload) headers['content-type'] = channel.payload;
    fetch(endpoint, { method: 'POST', headers, body: channel.payload ? JSON.stringify(resource) : undefined })
      .catch((e) => console.error(`rest-hook ${endpoint.origin}: ${e.cause?.code ?? e.message}`));
  }
}
