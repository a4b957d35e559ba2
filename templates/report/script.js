// Sorting, filtering and copying. All that is shown is in the page already: without this script only these are missing.
'use strict';
(() => {
  /** Rows from which on a table has a filter. */
  const LONG = 12;

  const make = (tag, props, ...children) => {
    const element = Object.assign(document.createElement(tag), props);
    element.append(...children);
    return element;
  };

  /** What a cell says, exactly: its value, the whole of a name that is cut, or its text. */
  const exact = (cell) =>
    cell.dataset.v ?? (cell.querySelector('[title]')?.title || cell.title || cell.textContent.trim());

  /** What a cell is sorted by; null where nothing stands. */
  const rank = (cell, isNumber) => {
    const text = cell?.dataset.v ?? cell?.textContent.trim() ?? '';
    if (text === '' || text === '–') return null;
    if (!isNumber) return text.toLowerCase();
    const number = Number(text);
    return Number.isNaN(number) ? null : number;
  };

  const compare = (a, b, sign) => {
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    return sign * (Number(a > b) - Number(a < b));
  };

  /** The rows of a table. In a grouped one, a body is a row with what is below it. */
  const rowsOf = (table) =>
    table.classList.contains('grouped') ? [...table.tBodies] : [...table.tBodies].flatMap((body) => [...body.rows]);

  const sort = (table, lengths, column, isNumber, sign) => {
    const ranked = rowsOf(table).map((row) => [rank((row.rows?.[0] ?? row).cells[column], isNumber), row]);
    ranked.sort(([a], [b]) => compare(a, b, sign));
    const rows = ranked.map(([, row]) => row);
    if (table.classList.contains('grouped')) {
      rows.forEach((body) => table.insertBefore(body, table.tFoot));
      return;
    }
    let from = 0;
    [...table.tBodies].forEach((body, part) => {
      body.append(...rows.slice(from, from + lengths[part]));
      from += lengths[part];
    });
  };

  const makeSortable = (table) => {
    const lengths = [...table.tBodies].map((body) => body.rows.length);
    const heads = [...table.tHead.rows[0].cells];
    let column = 0;
    for (const head of heads) {
      const at = column;
      column += head.colSpan;
      if (head.textContent.trim() === '') continue;
      const isNumber = head.classList.contains('n');
      const button = make('button', { type: 'button', className: 'sort' }, ...head.childNodes);
      button.addEventListener('click', () => {
        // Numbers are of interest from the largest, names from the first.
        const down = head.ariaSort ? head.ariaSort === 'ascending' : isNumber;
        heads.forEach((other) => other.removeAttribute('aria-sort'));
        head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
        sort(table, lengths, at, isNumber, down ? -1 : 1);
      });
      head.append(button);
    }
  };

  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = make('textarea', { value: text, className: 'away' });
      document.body.append(area);
      area.select();
      document.execCommand('copy');
      area.remove();
    }
  };

  const copyButton = (label, text) => {
    const button = make('button', { type: 'button', className: 'copy' }, label);
    button.addEventListener('click', async () => {
      await copy(text());
      button.textContent = 'Copied';
      setTimeout(() => { button.textContent = label; }, 1500);
    });
    return button;
  };

  /** A cell for a spreadsheet: never a formula. */
  const defused = (text) => (/^[=+\-@]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text === '–' ? '' : text);

  const asText = (table) => {
    const head = [...table.tHead.rows[0].cells].flatMap((cell) =>
      [cell.textContent.trim(), ...Array(cell.colSpan - 1).fill('')]);
    const bodies = [...table.tBodies].flatMap((body) => [...body.rows]).filter((row) => !row.hidden && !row.parentNode.hidden);
    const lines = bodies.map((row) => [...row.cells].map((cell) => defused(exact(cell))));
    return [head, ...lines].map((cells) => cells.map((cell) => cell.replace(/\s+/g, ' ')).join('\t')).join('\n') + '\n';
  };

  const filter = (table, text, output) => {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = rowsOf(table);
    let shown = 0;
    for (const row of rows) {
      const titles = [...row.querySelectorAll('code[title]')].map((code) => code.title).join(' ');
      const all = `${row.textContent} ${titles}`.toLowerCase();
      row.hidden = !words.every((word) => all.includes(word));
      shown += Number(!row.hidden);
    }
    table.closest('.list').classList.toggle('filtering', words.length > 0);
    output.textContent = words.length > 0 ? `${shown} of ${rows.length}` : '';
  };

  const addTools = (table) => {
    const list = table.closest('.list');
    const output = make('output', {});
    const input = make('input', { type: 'search', placeholder: 'Filter', spellcheck: false, autocomplete: 'off' });
    input.setAttribute('aria-label', `Filter: ${table.parentNode.getAttribute('aria-label')}`);
    input.addEventListener('input', () => filter(table, input.value, output));
    list.prepend(make('div', { className: 'tools' }, input, output, copyButton('Copy table', () => asText(table))));
  };

  for (const table of document.querySelectorAll('.list table')) {
    const rows = rowsOf(table).length;
    if (rows > 1) makeSortable(table);
    if (rows >= LONG) addTools(table);
  }
  for (const block of document.querySelectorAll('pre')) {
    block.before(make('div', { className: 'tools' }, copyButton('Copy', () => block.textContent)));
  }
})();
