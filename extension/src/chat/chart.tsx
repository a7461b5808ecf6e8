import * as React from 'react';
import { MessageLoop } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import { barsOf, metaOf } from './chart-words';
import { Answer, ChartOut } from '../protocol';
import { useChat } from './context';

const PLOTLY = 'application/vnd.plotly.v1+json';

/** The chart of an answer, drawn by JupyterLab's own Plotly renderer; another type is made by the server half. */
export function Chart({ answer }: { answer: Answer }): JSX.Element | null {
  const { datapilot, rendermime } = useChat();
  const { trans } = datapilot;
  const [chart, setChart] = React.useState(answer.chart);
  const [problem, setProblem] = React.useState<string | null>(null);
  const host = React.useRef<HTMLDivElement>(null);
  React.useEffect(() => setChart(answer.chart), [answer]);

  React.useLayoutEffect(() => {
    const node = host.current;
    if (!node || !chart || !rendermime.mimeTypes.includes(PLOTLY)) {
      return;
    }
    const renderer = rendermime.createRenderer(PLOTLY);
    const given = chart['layout'] as { height?: number };
    const layout = { ...given, autosize: true, height: Math.max(300, given.height ?? 0, 60 + 22 * barsOf(chart)) };
    const data = { ...chart, layout, config: { displaylogo: false, responsive: true, displayModeBar: false } };
    // Plotly throws when it is asked to fit what is not seen.
    const fit = (): void => {
      if (!renderer.isDisposed && node.isConnected && node.clientWidth > 0 && renderer.node.querySelector('.js-plotly-plot')) {
        MessageLoop.sendMessage(renderer, Widget.ResizeMessage.UnknownSize);
      }
    };
    const resized = new ResizeObserver(fit);
    let frame = 0;
    const attach = (): void => {
      if (!node.isConnected) {
        // A message is made before it stands in the page.
        frame = requestAnimationFrame(attach);
        return;
      }
      Widget.attach(renderer, node);
      const model = rendermime.createModel({ data: { [PLOTLY]: data as never } });
      void renderer.renderModel(model).then(fit);
      resized.observe(node);
    };
    // The sentence is seen first: loading Plotly may hold the page for a moment.
    frame = requestAnimationFrame(() => {
      frame = requestAnimationFrame(attach);
    });
    return () => {
      cancelAnimationFrame(frame);
      resized.disconnect();
      if (renderer.isAttached && !renderer.node.isConnected) {
        // The page has let go of it already: the widget is told what it would have been told.
        MessageLoop.sendMessage(renderer, Widget.Msg.BeforeDetach);
        renderer.node.remove();
        MessageLoop.sendMessage(renderer, Widget.Msg.AfterDetach);
      }
      renderer.dispose();
    };
  }, [chart]);

  const meta = metaOf(chart);
  const names = React.useMemo(
    (): Record<string, string> => ({
      bar: trans.__('Bars'),
      column: trans.__('Columns'),
      line: trans.__('Line'),
      area: trans.__('Area'),
      donut: trans.__('Donut'),
      grouped: trans.__('Grouped columns'),
      stacked: trans.__('Stacked columns'),
      heatmap: trans.__('Heat map')
    }),
    [trans]
  );
  if (!chart) {
    return null;
  }
  if (!rendermime.mimeTypes.includes(PLOTLY)) {
    return <p className="dp-Note">{trans.__('Charts need JupyterLab’s Plotly extension, which is not installed here.')}</p>;
  }
  const choose = (type: string): void => {
    datapilot.client
      .json<ChartOut>(`answers/${answer.id}/chart`, { method: 'POST', body: { type } })
      .then(found => {
        setChart(found.chart);
        setProblem(null);
      })
      .catch((error: Error) => setProblem(error.message));
  };
  return (
    <figure className="dp-Chart" aria-label={answer.sentence}>
      {meta && meta.alternatives.length > 1 ? (
        <label className="dp-Chart-type">
          {trans.__('Chart')}{' '}
          <select value={meta.type} onChange={event => choose(event.target.value)}>
            {meta.alternatives.map(type => (
              <option key={type} value={type}>
                {names[type] ?? type}
              </option>
            ))}
          </select>
        </label>
      ) : null}
      {problem ? <p role="alert">{problem}</p> : null}
      <div ref={host} className="dp-Chart-host" />
    </figure>
  );
}
