import { LabIcon } from '@jupyterlab/ui-components';

function icon(name: string, body: string): LabIcon {
  return new LabIcon({
    name: `datapilot:${name}`,
    svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 24 24" fill="none" stroke="#616161" class="jp-icon-stroke" stroke-width="1.9" stroke-linecap="round" stroke-linejoin="round">${body}</svg>`
  });
}

/** The product's mark: a compass needle over rising bars. */
export const datapilotIcon = new LabIcon({
  name: 'datapilot:mark',
  svgstr:
    '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20" viewBox="0 0 24 24"><g class="jp-icon3" fill="#616161"><rect x="3" y="13" width="4" height="8" rx="1"/><rect x="10" y="9" width="4" height="12" rx="1"/><rect x="17" y="5" width="4" height="16" rx="1"/><circle cx="5" cy="6" r="3"/></g></svg>'
});
export const chatIcon = icon('chat', '<path d="M4 5h16v11H9l-5 4z"/>');
export const stopIcon = icon('stop', '<rect x="6" y="6" width="12" height="12" rx="1.5"/>');
export const sendIcon = icon('send', '<path d="M5 12h14M13 6l6 6-6 6"/>');
export const plusIcon = icon('plus', '<path d="M12 5v14M5 12h14"/>');
export const historyIcon = icon('history', '<path d="M12 7v5l3 2"/><circle cx="12" cy="12" r="8.5"/>');
export const dataIcon = icon('data', '<ellipse cx="12" cy="6" rx="7" ry="3"/><path d="M5 6v12c0 1.7 3.1 3 7 3s7-1.3 7-3V6M5 12c0 1.7 3.1 3 7 3s7-1.3 7-3"/>');
export const publishIcon = icon('publish', '<path d="M12 16V5M7 9l5-5 5 5M5 20h14"/>');
export const copyIcon = icon('copy', '<rect x="9" y="9" width="11" height="11" rx="1.5"/><path d="M5 15V5.5A1.5 1.5 0 0 1 6.500 4H15"/>');
export const insertIcon = icon('insert', '<path d="M4 6h10M4 12h7M4 18h10M17 9v6M14 12h6"/>');
export const upIcon = icon('up', '<path d="M7 11l4-7c1.500 0 2.500 1 2.500 2.500V10H19l-1.500 9H7zM7 11H4v8h3"/>');
export const downIcon = icon('down', '<path d="M7 13l4 7c1.500 0 2.500-1 2.500-2.500V14H19l-1.500-9H7zM7 13H4V5h3"/>');
export const moreIcon = icon('more', '<circle cx="5" cy="12" r="1"/><circle cx="12" cy="12" r="1"/><circle cx="19" cy="12" r="1"/>');
export const tableIcon = icon('table', '<rect x="4" y="5" width="16" height="14" rx="1.500"/><path d="M4 10h16M10 10v9"/>');
export const chartIcon = icon('chart', '<path d="M4 20V4M4 20h16M9 16v-5M14 16V8M19 16v-3"/>');
export const sqlIcon = icon('sql', '<path d="M8 7l-5 5 5 5M16 7l5 5-5 5"/>');
export const pencilIcon = icon('pencil', '<path d="M5 19l1-4L16 5l3 3L9 18z"/>');
export const trashIcon = icon('trash', '<path d="M5 7h14M10 4h4M7 7l1 13h8l1-13"/>');
