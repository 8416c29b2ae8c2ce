// A command component in JavaScript: what it is given, what it can do with files, and whom it can reach.
//
// about            arguments, the variable A, the current directory
// files            makes, appends to, reads, lists, links, renames and removes files of the current directory
// upper            standard input, in capitals
// http HOST:PORT   gets /greeting there
import { getArguments, getEnvironment, initialCwd } from 'wasi:cli/environment@0.2.12';
import { getStdin } from 'wasi:cli/stdin@0.2.12';
import { getStdout } from 'wasi:cli/stdout@0.2.12';
import { getDirectories } from 'wasi:filesystem/preopens@0.2.12';
import { handle } from 'wasi:http/outgoing-handler@0.2.12';
import { Fields, OutgoingRequest } from 'wasi:http/types@0.2.12';

const encode = text => new TextEncoder().encode(text);
const decode = bytes => new TextDecoder().decode(bytes);

// Nothing of WASI can be called while the component is made, and so not out here.
let stdout;
const print = (...words) => stdout.blockingWriteAndFlush(encode(words.join(' ') + '\n'));

class Failure extends Error {}

/** The error's code in words, as the standard has them. */
function code(error) {
    const value = error.payload ?? error;
    return value.tag ?? value.message ?? String(value);
}

function about() {
    print('argv', ...getArguments().slice(1));
    print('A', new Map(getEnvironment()).get('A'));
    print('cwd', initialCwd());
}

/** The directory that the program runs in: `.` where one of that name was given, else the root. */
function here() {
    const given = getDirectories();
    return (given.find(([, name]) => name === '.') ?? given[0])[0];
}

function names(directory) {
    const stream = directory.readDirectory();
    const names = [];
    for (let entry; (entry = stream.readDirectoryEntry());) names.push(entry);
    return names;
}

function files() {
    const top = here();
    top.createDirectoryAt('made');
    const made = top.openAt({}, 'made', { directory: true }, { read: true, mutateDirectory: true });
    let f = made.openAt({}, 'f', { create: true }, { read: true, write: true });
    f.write(encode('one\n'), 0n);
    let end = f.appendViaStream();
    end.blockingWriteAndFlush(encode('two\n'));
    end[Symbol.dispose]();
    let at = f.writeViaStream(4n);
    at.blockingWriteAndFlush(encode('TWO'));
    at[Symbol.dispose]();
    f.setSize(7n);
    print('read', decode(f.read(100n, 0n)[0]).split('\n').join(' '));
    f.setTimes({ tag: 'now' }, { tag: 'timestamp', val: { seconds: 86400n, nanoseconds: 0 } });
    const stat = f.stat();
    print('stat', stat.size, stat.dataModificationTimestamp.seconds);
    made.symlinkAt('f', 'link');
    const linked = made.openAt({ symlinkFollow: true }, 'link', {}, { read: true });
    print('link', made.readlinkAt('link'), f.isSameObject(linked));
    made.linkAt({}, 'f', made, 'hard');
    made.renameAt('f', made, 'g');
    const list = names(made);
    print('list', list.map(entry => entry.name).sort().join(' '), list.find(entry => entry.name === 'link').type);
    f[Symbol.dispose]();
    for (const entry of list) made.unlinkFileAt(entry.name);
    top.removeDirectoryAt('made');
    try {
        top.statAt({}, 'made');
    } catch (error) {
        print('gone', code(error));
    }
}

function upper() {
    const stdin = getStdin();
    for (;;) {
        let bytes;
        try {
            bytes = stdin.blockingRead(4096n);
        } catch (error) {
            if (code(error) === 'closed') return;
            throw error;
        }
        stdout.blockingWriteAndFlush(encode(decode(bytes).toUpperCase()));
    }
}

/** What `attempt` gives; a code of WASI's is shown, and is the program's failure. */
function trying(attempt) {
    try {
        return attempt();
    } catch (error) {
        print('failed', code(error));
        throw new Failure();
    }
}

function http(authority) {
    const request = new OutgoingRequest(new Fields());
    request.setScheme({ tag: 'HTTP' });
    request.setAuthority(authority);
    request.setPathWithQuery('/greeting');
    const pending = trying(() => handle(request, undefined));
    pending.subscribe().block();
    const answer = pending.get().val;
    if (answer.tag === 'err') {
        print('failed', code(answer.val));
        throw new Failure();
    }
    const body = answer.val.consume();
    print('got', answer.val.status(), decode(body.stream().blockingRead(100n)).trim());
}

export const run = {
    run() {
        stdout = getStdout();
        const [, command, ...args] = getArguments();
        try {
            ({ about, files, upper, http })[command](...args);
        } catch (error) {
            if (!(error instanceof Failure)) print(error.stack ?? error);
            throw undefined;
        }
    },
};
