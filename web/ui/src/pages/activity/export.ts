import type { Schemas } from '../../api/client';

type Audit = Schemas['Audit'];

const columns = ['at', 'principal', 'remote', 'operation', 'resource', 'result', 'detail'] as const;

/** cell writes a field of a CSV (RFC 4180) that no spreadsheet takes for a formula. */
function cell(text: string): string {
  // Spreadsheets begin a cell anew at whatever they take for a separator.
  const safe = text.replace(/(^|[;|\t\r\n])(?=[=+\-@])/g, "$1'").replace(/^(?=[\t\r])/, "'");
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** auditCSV writes entries of the audit trail with a header row. */
export function auditCSV(entries: readonly Audit[]): string {
  const rows = [columns.join(','), ...entries.map((e) => columns.map((c) => cell(e[c] ?? '')).join(','))];
  return `${rows.join('\r\n')}\r\n`;
}

/** download has the browser save a text as a file. */
export function download(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const a = document.createElement('a');
  a.href = url;
  a.download = name;
  a.click();
  // The browser has taken hold of it by then.
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
