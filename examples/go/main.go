// Publishes visits to Vigie. Standard input: one JSON object a line, with user, uai, service, profile and, where a line may be sent again, id.
package main

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	secret, err := secretOf(os.Getenv("ENT_SECRET"))
	exitOn(err)
	if len(os.Args) != 4 {
		exitOn(errors.New("usage: publisher SERVERS TOPIC PROJECT < LINES"))
	}
	servers, topic, project := os.Args[1], os.Args[2], os.Args[3]
	client, err := kgo.NewClient( // acks=all and idempotence are franz-go's defaults
		kgo.SeedBrokers(strings.Split(servers, ",")...), kgo.DefaultProduceTopic(topic),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), // murmur2 of the key, as Java's
		kgo.MaxBufferedRecords(50_000), kgo.RecordDeliveryTimeout(2*time.Minute), kgo.ProducerLinger(30*time.Millisecond))
	exitOn(err)
	var delivered, failed atomic.Int64
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		var use struct{ ID, User, UAI, Service, Profile string }
		if err := json.Unmarshal(lines.Bytes(), &use); err != nil || use.User == "" {
			failed.Add(1)
			fmt.Fprintf(os.Stderr, "not sent, mend it: %q\n", lines.Text())
			continue
		}
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(use.User))
		visitor := hex.EncodeToString(mac.Sum(nil))
		if use.ID == "" {
			use.ID = rand.Text() // the same again for the same event
		}
		event, err := json.Marshal(map[string]any{"v": 1, "id": use.ID, "ts": time.Now().UnixMilli(), "project": project, "uai": use.UAI,
			"service": use.Service, "profile": use.Profile, "visitor": visitor})
		exitOn(err)
		// Waits while the buffer is full: what then still fails is told to the function, once an event.
		client.Produce(context.Background(), &kgo.Record{Key: []byte(visitor), Value: event}, func(_ *kgo.Record, err error) {
			if err == nil {
				delivered.Add(1)
			} else {
				failed.Add(1)
				fmt.Fprintln(os.Stderr, "keep and send again, with the same id:", use.ID, err)
			}
		})
	}
	exitOn(client.Flush(context.Background()))
	fmt.Fprintln(os.Stderr, delivered.Load(), "delivered,", failed.Load(), "failed")
	exitOn(lines.Err())
	if failed.Load() > 0 {
		os.Exit(1)
	}
}

// The project's secret: text, or hex: and its bytes. A short one lets anybody who knows the user ids compute the pseudonyms.
func secretOf(text string) ([]byte, error) {
	secret := []byte(text)
	if digits, isHex := strings.CutPrefix(text, "hex:"); isHex {
		var err error
		if secret, err = hex.DecodeString(digits); err != nil {
			return nil, err
		}
	}
	if len(secret) < 16 {
		return nil, errors.New("ENT_SECRET needs the project's secret, of at least 16 bytes (text, or hex: and hexadecimal digits)")
	}
	return secret, nil
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}
