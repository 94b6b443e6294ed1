import { Box, Group, Text } from '@mantine/core';
import { IconChevronDown, IconChevronRight } from '@tabler/icons-react';
import { type KeyboardEvent, useRef, useState } from 'react';
import { count } from '../../kit/bytes';
import { livenessStates, lookOf } from '../../kit/states';
import { type Group as FleetGroup, type Node, rows } from './tree';
import './groups.css';

interface Props {
  groups: readonly FleetGroup[];
  selected: string | undefined;
  select: (path: string) => void;
}

// With more groups than these, only the first level is open at the start.
const openMost = 60;

/** GroupTree is the tree of groups. Arrows move in it, left and right fold, Enter opens. */
export function GroupTree({ groups, selected, select }: Props) {
  const [folded, setFolded] = useState<ReadonlySet<string>>(
    () => new Set(groups.length > openMost ? groups.map((g) => g.path).filter((p) => p !== '') : []),
  );
  const [active, setActive] = useState(selected ?? '');
  const tree = useRef<HTMLDivElement>(null);
  const nodes = rows(groups, folded);
  const at = Math.max(
    nodes.findIndex((n) => n.group.path === active),
    0,
  );
  const focus = (i: number) => {
    const node = nodes[i];
    if (!node) return;
    setActive(node.group.path);
    tree.current?.querySelectorAll<HTMLElement>('[role=treeitem]')[i]?.focus();
  };
  const fold = (path: string, close: boolean) => {
    const next = new Set(folded);
    if (close) next.add(path);
    else next.delete(path);
    setFolded(next);
  };
  const pressed = (e: KeyboardEvent) => {
    const node = nodes[at];
    if (!node || e.ctrlKey || e.metaKey || e.altKey) return;
    const path = node.group.path;
    const isOpen = node.parent && !folded.has(path);
    switch (e.key) {
      case 'ArrowDown':
        focus(at + 1);
        break;
      case 'ArrowUp':
        focus(at - 1);
        break;
      case 'Home':
        focus(0);
        break;
      case 'End':
        focus(nodes.length - 1);
        break;
      case 'ArrowRight':
        if (isOpen) focus(at + 1);
        else fold(path, false);
        break;
      case 'ArrowLeft':
        if (isOpen) fold(path, true);
        else focus(upFrom(nodes, at));
        break;
      case 'Enter':
      case ' ':
        select(path);
        break;
      default:
        return;
    }
    e.preventDefault();
  };
  return (
    <div role="tree" aria-label="Groups" ref={tree} onKeyDown={pressed}>
      {nodes.map((n, i) => (
        <Row
          key={n.group.path}
          node={n}
          open={!folded.has(n.group.path)}
          selected={n.group.path === selected}
          focusable={i === at}
          select={() => {
            setActive(n.group.path);
            select(n.group.path);
          }}
          toggle={() => fold(n.group.path, !folded.has(n.group.path))}
        />
      ))}
    </div>
  );
}

function upFrom(nodes: readonly Node[], at: number): number {
  const level = nodes[at]?.level ?? 1;
  for (let i = at - 1; i >= 0; i--) if ((nodes[i]?.level ?? 0) < level) return i;
  return at;
}

interface RowProps {
  node: Node;
  open: boolean;
  selected: boolean;
  focusable: boolean;
  select: () => void;
  toggle: () => void;
}

function Row({ node, open, selected, focusable, select, toggle }: RowProps) {
  const { group: g, level, parent } = node;
  const name = g.path === '' ? 'All devices' : g.path.slice(g.path.lastIndexOf('/') + 1);
  const Chevron = open ? IconChevronDown : IconChevronRight;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the tree has the keys
    <div
      role="treeitem"
      className="fs-tree-row"
      aria-level={level}
      aria-expanded={parent ? open : undefined}
      aria-selected={selected}
      tabIndex={focusable ? 0 : -1}
      onClick={select}
      style={{ paddingLeft: 4 + (level - 1) * 20 }}
    >
      <Box
        w={32}
        h={40}
        display="flex"
        style={{ alignItems: 'center', justifyContent: 'center', flexShrink: 0 }}
        onClick={(e) => {
          if (!parent) return;
          e.stopPropagation();
          toggle();
        }}
      >
        {parent && <Chevron size={18} aria-hidden />}
      </Box>
      <Text size="sm" fw={selected ? 600 : 400} className="fs-text" flex={1}>
        {name}
      </Text>
      <Troubles states={g.states} />
      <Text
        size="sm"
        c="dimmed"
        w={86}
        ta="right"
        title={`${count(g.devices, 'device')} in it, ${count(g.devices_below)} with those below`}
      >
        {count(g.devices_below, 'device')}
      </Text>
    </div>
  );
}

/** Troubles counts the devices that need a person. */
function Troubles({ states }: { states: Record<string, number> }) {
  return (
    <Group gap={8} wrap="nowrap">
      {livenessStates
        .filter((s) => (s === 'overdue' || s === 'late') && states[s])
        .map((s) => {
          const look = lookOf('liveness', s);
          return (
            <Text key={s} size="xs" component="span" title={`${states[s]} ${look.word}`}>
              <look.icon
                size={14}
                style={{ verticalAlign: -2 }}
                color={`var(--mantine-color-${look.color}-7)`}
                aria-label={look.word}
              />{' '}
              {states[s]}
              <Text span inherit visibleFrom="sm" aria-hidden>
                {' '}
                {look.word}
              </Text>
            </Text>
          );
        })}
    </Group>
  );
}
