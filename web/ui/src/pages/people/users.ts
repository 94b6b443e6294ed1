import { queryOptions } from '@tanstack/react-query';
import { api, ok } from '../../api/client';

export const usersQuery = queryOptions({
  queryKey: ['users'],
  queryFn: ({ signal }) => ok(api.GET('/api/v1/users', { signal })),
});
