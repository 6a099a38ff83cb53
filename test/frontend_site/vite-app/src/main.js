import './style.css';
import { version } from './version.js';

const main = document.querySelector('main');
main.innerHTML = `
  <h1>A small site, version ${version}</h1>
  <p>Page <code id="page"></code></p>
  <p>API <code id="api"></code></p>
  <p id="details">Details are loaded when they are wanted.</p>`;
document.querySelector('#page').textContent = location.pathname;
document.querySelector('#api').textContent = import.meta.env.VITE_GALV_API_BASE_URL;

// A part of the site that an open page asks for later, perhaps after the next release.
window.loadDetails = async () => {
  const { details } = await import('./details.js');
  document.querySelector('#details').textContent = details;
  return details;
};
