import { queryOptions, useQuery } from '@tanstack/react-query';
import { api, ok, type Schemas } from '../../api/client';
import { sessionQuery } from '../../api/queries';
import { useMay } from '../../app/useMay';
import type { Fields } from '../../kit/merge';

export type Team = Schemas['Team'];

/** Those who may grant roles see all teams; others see those that they are in. */
export const teamsQuery = queryOptions({
  queryKey: ['teams'],
  queryFn: ({ signal }) => ok(api.GET('/api/v1/teams', { signal })),
});

/** useLeads tells whether the signed-in has people to look after: all, or those of a team that they lead. */
export function useLeads(): boolean {
  const { data: session } = useQuery(sessionQuery);
  const { data } = useQuery(teamsQuery);
  return useMay('people.change') || (data?.items.some((t) => leads(t, session?.name)) ?? false);
}

/** leads tells whether somebody leads a team. */
export function leads(team: Team, who: string | undefined): boolean {
  return who !== undefined && team.leaders.includes(who);
}

/** What of a team is typed: names apart by commas. */
export function fieldsOf(team: Team): Fields {
  return { leaders: team.leaders.join(', '), members: team.members.join(', '), note: team.note ?? '' };
}

/** namesOf reads names apart by commas or spaces, each once. */
export function namesOf(text = ''): string[] {
  return [...new Set(text.split(/[\s,]+/).filter(Boolean))];
}

/** bodyOf gives what the API takes. */
export function bodyOf(fields: Fields): Schemas['PutTeam'] {
  return { leaders: namesOf(fields.leaders), members: namesOf(fields.members), note: fields.note?.trim() ?? '' };
}

/** putTeam makes a team, or replaces one that still has the etag. */
export function putTeam(team: string, fields: Fields, etag?: string): Promise<Team> {
  return ok(
    api.PUT('/api/v1/teams/{team}', {
      params: { path: { team }, header: etag ? { 'If-Match': `"${etag}"` } : { 'If-None-Match': '*' } },
      body: bodyOf(fields),
    }),
  );
}
