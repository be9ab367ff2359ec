<?php
// Sends uses of services, one JSON object a line on standard input, to a collector. Needs PHP 8 alone (Debian: php-cli).
//   VIGIE_TOKEN=... ENT_SECRET=... php publish.php https://vigie.example.org:8400 mbn < uses.ndjson
declare(strict_types=1);

const BATCH_EVENTS_MAX = 500;
const TRIES_MAX = 8;

/** The secret of the project: text, or hex:... for bytes. */
function secret(): string
{
    $text = (string) getenv('ENT_SECRET');
    $bytes = str_starts_with($text, 'hex:') ? (ctype_xdigit(substr($text, 4)) ? @hex2bin(substr($text, 4)) : false) : $text;
    if ($bytes === false || strlen($bytes) < 16) {
        fwrite(STDERR, "ENT_SECRET is no secret of at least 16 bytes (text, or hex:...)\n");
        exit(2);
    }
    return $bytes;
}

/** Status, headers and body of one request; status 0 where nothing answered. */
function post(string $url, string $body, string $token): array
{
    $headers = ["Authorization: Bearer $token", 'Content-Type: application/x-ndjson', 'Content-Encoding: gzip'];
    $http = ['method' => 'POST', 'header' => $headers, 'content' => $body, 'timeout' => 60, 'ignore_errors' => true];
    $tls = array_filter(['cafile' => (string) getenv('CAFILE')]);
    $answer = @file_get_contents($url, false, stream_context_create(['http' => $http, 'ssl' => $tls]));
    $head = $http_response_header ?? [];
    $status = preg_match('~^HTTP/\S+ (\d+)~', $head[0] ?? '', $found) ? (int) $found[1] : 0;
    return [$answer === false ? 0 : $status, $head, (string) $answer];
}

/** Sends a batch until it is answered for, always with the same ids; returns how many of its events Kafka confirmed. */
function send(string $url, array $events, string $token): int
{
    $body = gzencode(implode("\n", $events));
    for ($try = 1; $try <= TRIES_MAX; $try++) {
        [$status, $head, $answer] = post("$url/v1/events", $body, $token);
        if ($status === 200 || $status === 422) {
            $found = json_decode($answer, true);
            foreach ($found['refused_lines'] as $refused) {
                fwrite(STDERR, "refused ({$refused['reason']}): {$events[$refused['line'] - 1]}\n");
            }
            return $found['accepted'];
        }
        if ($status !== 0 && $status !== 429 && $status < 500) {
            break; // to send it again would change nothing
        }
        $after = preg_grep('~^Retry-After: *\d+$~i', $head);
        sleep($after ? (int) preg_replace('~\D~', '', (string) end($after)) : 1);
    }
    fwrite(STDERR, "not confirmed, keep it and send it later with the same ids: $status $answer\n");
    return 0;
}

[, $url, $project] = $argv + [1 => '', 2 => ''];
$token = (string) getenv('VIGIE_TOKEN');
$secret = secret();
$delivered = $taken = 0;
$batch = [];
while (($line = fgets(STDIN)) !== false || $batch) {
    if ($line !== false && trim($line) !== '') {
        $use = json_decode($line, true, 8, JSON_THROW_ON_ERROR);
        $event = ['v' => 1, 'id' => $use['id'], 'ts' => (int) (microtime(true) * 1000), 'project' => $project];
        $event += array_intersect_key($use, ['uai' => 1, 'service' => 1, 'profile' => 1]);
        $event['visitor'] = hash_hmac('sha256', $use['user'], $secret); // the user's id goes no further
        $batch[] = json_encode($event, JSON_THROW_ON_ERROR);
    }
    if ($batch && ($line === false || count($batch) >= BATCH_EVENTS_MAX)) {
        $taken += count($batch);
        $delivered += send($url, $batch, $token);
        $batch = [];
    }
}
$failed = $taken - $delivered;
fwrite(STDERR, "$delivered delivered, $failed failed\n");
exit($failed ? 1 : 0);
