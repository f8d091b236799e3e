// chart/: failures against workers and max-requests, with the law drawn in.

export { charts } from './charts.ts';
