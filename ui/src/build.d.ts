/** The build, as `vite.config.ts` names it: the same in all files of it. */
declare const BUILD: string;
