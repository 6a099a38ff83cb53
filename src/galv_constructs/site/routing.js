// CloudFront runs this for each request of a viewer, before its cache. Its engine, cloudfront-js-2.0,
// has ES 5.1 and a short list of newer features. One that it does not have, such as for…of, is
// accepted by the deployment, and every request then answers 503:
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-javascript-runtime-20.html
// The construct replaces the empty values when there are alternatives.
const CANONICAL_NAME = '';
const ALTERNATIVE_NAMES = [];

function handler(event) {
  const request = event.request;
  if (ALTERNATIVE_NAMES.indexOf(header(request, 'host').toLowerCase()) >= 0) {
    return {
      statusCode: 301,
      statusDescription: 'Moved Permanently',
      headers: { location: { value: `https://${CANONICAL_NAME}${request.uri}${query(request)}` } },
    };
  }
  // The cache goes by what is set here, so that a page and a file of one path never meet in it.
  if (isPage(request)) {
    request.uri = '/index.html';
  }
  return request;
}

// Whether the application's router answers, and not a file. A missing script must stay missing: a
// page in its place would be read as a broken script.
function isPage(request) {
  const slash = request.uri.lastIndexOf('/');
  if (request.uri.indexOf('.', slash) < 0) {
    return true;
  }
  // A name with a dot may be an identifier, as in /cells/LR-2.3. The files of the site are in
  // /assets/ and at its root; nothing else is a file when someone goes to it.
  const mayBeFile = slash === 0 || /^\/(assets|\.well-known)\//.test(request.uri);
  return !mayBeFile && isNavigation(request);
}

// Browsers without Sec-Fetch-Mode ask for HTML when they navigate, and for anything otherwise.
function isNavigation(request) {
  const mode = header(request, 'sec-fetch-mode');
  return mode ? mode === 'navigate' : header(request, 'accept').indexOf('text/html') >= 0;
}

function header(request, name) {
  return request.headers[name] ? request.headers[name].value : '';
}

// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-event-structure.html
function query(request) {
  const pairs = [];
  Object.keys(request.querystring).forEach((name) => {
    const parameter = request.querystring[name];
    (parameter.multiValue || [parameter]).forEach((entry) => {
      pairs.push(entry.value === '' ? name : `${name}=${entry.value}`);
    });
  });
  return pairs.length ? `?${pairs.join('&')}` : '';
}
