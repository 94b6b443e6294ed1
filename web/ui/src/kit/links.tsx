import { Anchor, type AnchorProps, Button, type ButtonProps } from '@mantine/core';
import { createLink } from '@tanstack/react-router';
import type { AnchorHTMLAttributes, Ref } from 'react';

type Native<P> = Omit<AnchorHTMLAttributes<HTMLAnchorElement>, keyof P> & { ref?: Ref<HTMLAnchorElement> };

/** LinkAnchor is a link in a text to another page of the console. */
export const LinkAnchor = createLink((props: AnchorProps & Native<AnchorProps>) => <Anchor {...props} />);

/** LinkButton looks like a button and leads to another page of the console. */
export const LinkButton = createLink((props: ButtonProps & Native<ButtonProps>) => <Button component="a" {...props} />);
