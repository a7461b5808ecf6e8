import * as React from 'react';
import { DisposableDelegate, IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { Panel, PanelLayout, Widget } from '@lumino/widgets';
import { ReactWidget, UseSignal } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';

import { datapilotIcon } from './icons';
import { IPanel, IPanels } from './tokens';

/** The sections of the sidebar, in their order. */
export class Panels implements IPanels {
  get panels(): readonly IPanel[] {
    return this._panels;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  add(panel: IPanel): IDisposable {
    if (this._panels.some(known => known.id === panel.id)) {
      throw new Error(`There is a section ${panel.id} already`);
    }
    this._panels = [...this._panels, panel].sort((a, b) => a.rank - b.rank);
    this._changed.emit();
    return new DisposableDelegate(() => {
      this._panels = this._panels.filter(known => known !== panel);
      this._changed.emit();
    });
  }

  private _panels: IPanel[] = [];
  private _changed = new Signal<this, void>(this);
}

/** The sidebar: a row of tabs, and the section that is chosen below it. A section is made when it is first shown. */
export class Sidebar extends Panel {
  constructor(
    private readonly _sections: IPanels,
    private readonly _trans: TranslationBundle
  ) {
    super();
    this.id = 'datapilot-sidebar';
    this.addClass('dp-Sidebar');
    this.title.icon = datapilotIcon;
    this.title.caption = 'DataPilot';
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', 'DataPilot');
    const tabs = ReactWidget.create(
      <UseSignal signal={this._changed}>
        {() => (
          <Tabs
            panels={this._sections.panels}
            current={this._current}
            label={this._trans.__('Sections of DataPilot')}
            onChoose={id => void this.show_(id)}
          />
        )}
      </UseSignal>
    );
    tabs.addClass('dp-Tabs-host');
    this.addWidget(tabs);
    this._sections.changed.connect(this._onSections, this);
  }

  /** Show a section; the first when it is not known. */
  async show_(id?: string): Promise<void> {
    const panel = this._sections.panels.find(one => one.id === id) ?? this._sections.panels[0];
    if (!panel) {
      return;
    }
    this._current = panel.id;
    this._changed.emit();
    let made = this._made.get(panel.id);
    if (!made) {
      made = Promise.resolve(panel.create()).then(widget => {
        widget.addClass('dp-Section');
        widget.node.id = `dp-section-${panel.id}`;
        widget.node.setAttribute('role', 'tabpanel');
        widget.node.setAttribute('aria-labelledby', `dp-tab-${panel.id}`);
        (this.layout as PanelLayout).addWidget(widget);
        return widget;
      });
      this._made.set(panel.id, made);
    }
    await made;
    for (const [known, widget] of this._made) {
      (await widget).setHidden(known !== this._current);
    }
  }

  /** The chosen section. */
  get current(): string | null {
    return this._current;
  }

  protected override onAfterShow(): void {
    // JupyterLab draws itself first: a section's code is loaded when the browser has nothing better to do.
    whenIdle(() => {
      if (this._current === null && this.isVisible) {
        void this.show_();
      }
    });
  }

  private _onSections(): void {
    for (const [id, widget] of this._made) {
      if (!this._sections.panels.some(panel => panel.id === id)) {
        this._made.delete(id);
        void widget.then((gone: Widget) => gone.dispose());
      }
    }
    this._changed.emit();
    if (this.isVisible && this._current === null) {
      void this.show_();
    }
  }

  override dispose(): void {
    this._sections.changed.disconnect(this._onSections, this);
    super.dispose();
  }

  private _current: string | null = null;
  private _made = new Map<string, Promise<Widget>>();
  private _changed = new Signal<this, void>(this);
}

/** Do something once the page has come to rest; soon in any case. */
export function whenIdle(work: () => void): void {
  if (typeof requestIdleCallback === 'function') {
    requestIdleCallback(work, { timeout: 1_500 });
  } else {
    setTimeout(work, 200);
  }
}

function Tabs(props: {
  panels: readonly IPanel[];
  current: string | null;
  label: string;
  onChoose: (id: string) => void;
}): JSX.Element {
  const { panels, current, onChoose } = props;
  const onKey = (event: React.KeyboardEvent): void => {
    const at = panels.findIndex(panel => panel.id === current);
    const steps: Record<string, number> = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: panels.length - 1 };
    if (event.key in steps) {
      event.preventDefault();
      const next = panels[(steps[event.key] + panels.length) % panels.length];
      onChoose(next.id);
      document.getElementById(`dp-tab-${next.id}`)?.focus();
    }
  };
  return (
    <div className="dp-Tabs" role="tablist" aria-label={props.label} onKeyDown={onKey}>
      {panels.map(panel => (
        <button
          key={panel.id}
          id={`dp-tab-${panel.id}`}
          role="tab"
          className="dp-Tab"
          aria-selected={panel.id === current}
          aria-controls={panel.id === current ? `dp-section-${panel.id}` : undefined}
          tabIndex={panel.id === current ? 0 : -1}
          onClick={() => onChoose(panel.id)}
        >
          <panel.icon.react tag="span" className="dp-Icon" />
          <span>{panel.label}</span>
        </button>
      ))}
    </div>
  );
}
