// Runs in CloudFront for each request of a viewer, before the cache (cloudfront-js-2.0).
// The construct writes the names over the empty values when there are alternatives.
const CANONICAL_NAME = '';
const ALTERNATIVE_NAMES = [];

function handler(event) {
  const request = event.request;
  const host = request.headers.host ? request.headers.host.value.toLowerCase() : '';
  if (ALTERNATIVE_NAMES.includes(host)) {
    return {
      statusCode: 301,
      statusDescription: 'Moved Permanently',
      headers: { location: { value: `https://${CANONICAL_NAME}${request.uri}${queryOf(request)}` } },
    };
  }
  // Paths belong to the application's router, names with a dot to files: a missing script must stay
  // missing, as a page in its place would be read as a broken script.
  if (!request.uri.slice(request.uri.lastIndexOf('/') + 1).includes('.')) {
    request.uri = '/index.html';
  }
  return request;
}

// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-event-structure.html
function queryOf(request) {
  const pairs = [];
  for (const name of Object.keys(request.querystring)) {
    const parameter = request.querystring[name];
    for (const one of parameter.multiValue || [parameter]) {
      pairs.push(one.value === '' ? name : `${name}=${one.value}`);
    }
  }
  return pairs.length ? `?${pairs.join('&')}` : '';
}
